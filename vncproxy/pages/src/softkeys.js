/**
 * A phone's on-screen keyboard as key events.
 *
 * Such a keyboard does not type keys: it edits a text field, and most of its key events carry no key
 * (`keyCode` 229). So a hidden text field takes the edits, and what has changed in it since last time goes
 * out as Backspaces and characters. That is also right while a word is being composed and when it is
 * corrected or replaced: the console always shows what the field holds. Keys that do tell what they are go
 * out as themselves.
 */

import { chord, KEYS, keyOf, strike, strokesOf } from "./keys.js";

/**
 * What the field holds before anything is typed. Backspace changes a field only where there is something to
 * delete, and lines of their own keep a keyboard from taking the filling for the beginning of a word.
 */
export const FILLING = "\n".repeat(64);

/** A field longer than this (characters) is filled anew as soon as no word is being composed. */
const LONGEST_FIELD = 1024;

/** `keyCode` of a key that an input method keeps for itself (UI Events, section 7.3.1). */
const INPUT_METHOD = 229;

/**
 * What leads from one text to the other, at the end of both.
 *
 * @param {string} before
 * @param {string} after
 * @returns {{erase: number, add: string}} how many characters to delete from the end, then what to type
 */
export function difference(before, after) {
    const old = [...before];
    const now = [...after];
    let same = 0;
    while (same < old.length && same < now.length && old[same] === now[same]) {
        same += 1;
    }
    return { erase: old.length - same, add: now.slice(same).join("") };
}

/**
 * The key of a key event that tells what it is and that no text field should take.
 *
 * @param {Pick<KeyboardEvent, "key" | "keyCode" | "isComposing" | "ctrlKey" | "altKey" | "metaKey">} event
 * @returns {import("./keys.js").Key | null} null when the field is to take it
 */
export function plainKey(event) {
    if (event.isComposing || event.keyCode === INPUT_METHOD) {
        return null;
    }
    if (Object.hasOwn(KEYS, event.key)) {
        return KEYS[event.key];
    }
    const character = [...event.key].length === 1;
    return character && (event.ctrlKey || event.altKey || event.metaKey) ? keyOf(event.key) : null;
}

export class SoftKeyboard {
    #field;
    #press;
    #text = FILLING;
    #composing = false;

    /**
     * @param {HTMLTextAreaElement} field
     * @param {import("./keys.js").Press} press
     * @param {(shown: boolean) => void} changed
     */
    constructor(field, press, changed) {
        this.#field = field;
        this.#press = press;
        this.#refill();
        field.addEventListener("keydown", (event) => this.#key(event, true));
        field.addEventListener("keyup", (event) => this.#key(event, false));
        field.addEventListener("input", () => this.#edited());
        field.addEventListener("compositionstart", () => {
            this.#composing = true;
        });
        field.addEventListener("compositionend", () => {
            this.#composing = false;
            this.#edited();
        });
        field.addEventListener("focus", () => changed(true));
        field.addEventListener("blur", () => {
            this.#composing = false;
            this.#refill();
            changed(false);
        });
    }

    /** @returns {boolean} */
    get shown() {
        return this.#field.ownerDocument.activeElement === this.#field;
    }

    /** Show the keyboard. Phones do so only inside a user's gesture. */
    show() {
        this.#field.focus({ preventScroll: true });
    }

    hide() {
        this.#field.blur();
    }

    /**
     * @param {KeyboardEvent} event
     * @param {boolean} down
     */
    #key(event, down) {
        event.stopPropagation();
        const key = plainKey(event);
        if (key !== null) {
            event.preventDefault();
            this.#press(key, down);
        }
    }

    #edited() {
        const { erase, add } = difference(this.#text, this.#field.value);
        this.#text = this.#field.value;
        for (let count = 0; count < erase; count += 1) {
            chord(this.#press, [KEYS.Backspace]);
        }
        for (const stroke of strokesOf(add)) {
            strike(this.#press, stroke);
        }
        const spent = this.#text.length < FILLING.length / 2;
        if (!this.#composing && (spent || this.#text.length > LONGEST_FIELD)) {
            this.#refill();
        }
    }

    #refill() {
        this.#text = FILLING;
        this.#field.value = FILLING;
        this.#field.setSelectionRange(FILLING.length, FILLING.length);
    }
}
