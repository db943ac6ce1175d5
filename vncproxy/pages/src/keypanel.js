/**
 * Ctrl-Alt-Del and the panel of keys: modifiers to hold down, single keys, chords.
 */

import { button, byID } from "./dom.js";
import { chord, CHORDS, CTRL_ALT_DEL, HELD, SINGLE } from "./keys.js";

export class KeyPanel {
    #press;
    /** @type {Map<HTMLButtonElement, import("./keys.js").Key>} */
    #held = new Map();

    /** @param {import("./keys.js").Press} press */
    constructor(press) {
        this.#press = press;
        button("ctrl-alt-del").addEventListener("click", () => chord(press, CTRL_ALT_DEL));
        for (const { label, key } of HELD) {
            const made = addButton("held-keys", label);
            made.setAttribute("aria-pressed", "false");
            made.addEventListener("click", () => this.#hold(made, key));
        }
        addButtons("single-keys", SINGLE, press);
        addButtons("chords", CHORDS, press);
    }

    /** Let go of the modifiers that are held down. */
    release() {
        for (const [made, key] of [...this.#held]) {
            this.#hold(made, key);
        }
    }

    /**
     * @param {HTMLButtonElement} made
     * @param {import("./keys.js").Key} key
     */
    #hold(made, key) {
        const down = !this.#held.delete(made);
        if (down) {
            this.#held.set(made, key);
        }
        made.setAttribute("aria-pressed", String(down));
        this.#press(key, down);
    }
}

/**
 * @param {string} place
 * @param {{label: string, name?: string, keys: import("./keys.js").Key[]}[]} chords
 * @param {import("./keys.js").Press} press
 */
function addButtons(place, chords, press) {
    for (const { label, name, keys } of chords) {
        addButton(place, label, name).addEventListener("click", () => chord(press, keys));
    }
}

/**
 * @param {string} place
 * @param {string} label
 * @param {string} [name] what a screen reader speaks
 * @returns {HTMLButtonElement}
 */
function addButton(place, label, name) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "key";
    made.dataset.live = "";
    made.textContent = label;
    if (name !== undefined) {
        made.setAttribute("aria-label", name);
        made.title = name;
    }
    byID(place).append(made);
    return made;
}
