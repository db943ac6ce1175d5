import assert from "node:assert/strict";
import { test } from "node:test";

import { KEYS } from "../src/keys.js";
import { difference, FILLING, plainKey, SoftKeyboard } from "../src/softkeys.js";

/** As much of a text field as the keyboard uses. */
class Field extends EventTarget {
    value = "";
    ownerDocument = { activeElement: null };

    setSelectionRange() {}

    focus() {
        this.ownerDocument.activeElement = this;
        this.dispatchEvent(new Event("focus"));
    }

    blur() {
        this.ownerDocument.activeElement = null;
        this.dispatchEvent(new Event("blur"));
    }

    /** What an input method does: replace the end of the text. */
    edit(erase, add) {
        this.value = this.value.slice(0, this.value.length - erase) + add;
        this.dispatchEvent(new Event("input"));
    }

    key(type, properties) {
        const event = new Event(type, { cancelable: true });
        this.dispatchEvent(Object.assign(event, { isComposing: false, ...properties }));
        return event;
    }
}

function bench() {
    const field = new Field();
    let typed = "";
    const press = ({ keysym }, down) => {
        if (down) {
            typed += { 0xff08: "⌫", 0xff0d: "⏎", 0xffe1: "" }[keysym] ?? String.fromCharCode(keysym & 0xffff);
        }
    };
    const shown = [];
    const keyboard = new SoftKeyboard(field, press, (on) => shown.push(on));
    return { field, keyboard, shown, typed: () => typed };
}

test("the difference of two texts is what to erase at the end and what to add", () => {
    assert.deepEqual(difference("", ""), { erase: 0, add: "" });
    assert.deepEqual(difference("ab", "abc"), { erase: 0, add: "c" });
    assert.deepEqual(difference("abc", "ab"), { erase: 1, add: "" });
    assert.deepEqual(difference("teh", "the"), { erase: 2, add: "he" });
    assert.deepEqual(difference("a😀", "a😁b"), { erase: 1, add: "😁b" });
});

test("applying a difference always gives the new text", () => {
    const texts = ["", "a", "ab", "ba", "hello", "help", "😀", "😀😀", "にほん", "日本"];
    for (const before of texts) {
        for (const after of texts) {
            const { erase, add } = difference(before, after);
            const kept = [...before].slice(0, [...before].length - erase).join("");
            assert.equal(kept + add, after);
        }
    }
});

test("letters, corrections and Backspaces of a phone's keyboard arrive as they are made", () => {
    const { field, typed } = bench();
    field.edit(0, "t");
    field.edit(0, "eh");
    field.edit(2, "he ");
    field.edit(1, "");
    assert.equal(typed(), "teh⌫⌫he ⌫");
});

test("Backspace reaches the console although nothing was typed, again and again", () => {
    const { field, typed } = bench();
    for (let count = 0; count < 100; count += 1) {
        field.edit(1, "");
    }
    assert.equal(typed(), "⌫".repeat(100));
});

test("a composed word ends up right, whatever it looked like meanwhile", () => {
    const { field, typed } = bench();
    field.dispatchEvent(new Event("compositionstart"));
    field.edit(0, "n");
    field.edit(1, "に");
    field.edit(1, "日");
    field.dispatchEvent(new Event("compositionend"));
    assert.equal(typed(), "n⌫に⌫日");
    assert.equal(field.value, `${FILLING}日`);
});

test("a field that grew long is filled anew, but never while a word is composed", () => {
    const { field, typed } = bench();
    field.dispatchEvent(new Event("compositionstart"));
    field.edit(0, "x".repeat(2000));
    assert.equal(field.value.length, FILLING.length + 2000);
    field.dispatchEvent(new Event("compositionend"));
    assert.equal(field.value, FILLING);
    assert.equal(typed(), "x".repeat(2000));
    field.edit(0, "y");
    assert.equal(typed().at(-1), "y");
});

test("a key that tells what it is goes out as itself and leaves the field alone", () => {
    const { field, typed } = bench();
    const event = field.key("keydown", { key: "Enter", keyCode: 13 });
    assert.equal(event.defaultPrevented, true);
    assert.equal(typed(), "⏎");
});

test("a key without a meaning of its own is left to the field", () => {
    const plain = { isComposing: false, ctrlKey: false, altKey: false, metaKey: false };
    assert.equal(plainKey({ ...plain, key: "Unidentified", keyCode: 229 }), null);
    assert.equal(plainKey({ ...plain, key: "Enter", keyCode: 229 }), null);
    assert.equal(plainKey({ ...plain, key: "Enter", keyCode: 13, isComposing: true }), null);
    assert.equal(plainKey({ ...plain, key: "a", keyCode: 65 }), null);
    assert.equal(plainKey({ ...plain, key: "Dead", keyCode: 220, ctrlKey: true }), null);
    assert.equal(plainKey({ ...plain, key: "toString", keyCode: 0 }), null);
    assert.equal(plainKey({ ...plain, key: "ArrowUp", keyCode: 38 }), KEYS.ArrowUp);
    assert.equal(plainKey({ ...plain, key: "c", keyCode: 67, ctrlKey: true }).keysym, 0x63);
});

test("the page learns when the keyboard comes and goes", () => {
    const { keyboard, shown } = bench();
    keyboard.show();
    assert.equal(keyboard.shown, true);
    keyboard.hide();
    assert.equal(keyboard.shown, false);
    assert.deepEqual(shown, [true, false]);
});
