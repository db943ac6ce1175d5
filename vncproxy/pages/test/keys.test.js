import assert from "node:assert/strict";
import { test } from "node:test";

import {
    chord,
    CHORDS,
    CTRL_ALT_DEL,
    KEYS,
    keyOf,
    needsShift,
    SINGLE,
    strike,
    strokesOf,
} from "../src/keys.js";

/** Key events as text: `+ffe3` down, `-ffe3` up. */
function recorder() {
    const events = [];
    return { events, press: ({ keysym }, down) => events.push((down ? "+" : "-") + keysym.toString(16)) };
}

test("a character has the keysym that X11 gives it", () => {
    const cases = {
        a: 0x61,
        A: 0x41,
        " ": 0x20,
        "~": 0x7e,
        é: 0xe9,
        "€": 0x20ac,
        Ж: 0x06f6,
        你: 0x01004f60,
        "😀": 0x0101f600,
    };
    for (const [character, keysym] of Object.entries(cases)) {
        assert.equal(keyOf(character).keysym, keysym, character);
    }
});

test("a control character is the key that makes it, or none", () => {
    assert.equal(keyOf("\n"), KEYS.Enter);
    assert.equal(keyOf("\t"), KEYS.Tab);
    assert.equal(keyOf("\x1b"), KEYS.Escape);
    assert.equal(keyOf("\b"), KEYS.Backspace);
    assert.equal(keyOf("\x00"), null);
    assert.equal(keyOf("\x9f"), null);
});

test("Shift goes with upper case and the shifted characters of a US keyboard, and with nothing else", () => {
    for (const character of 'AZÉЖ~!@#$%^&*()_+{}|:"<>?') {
        assert.equal(needsShift(character), true, character);
    }
    for (const character of "az09 `-=[]\\;',./éж\n\tß你") {
        assert.equal(needsShift(character), false, character);
    }
});

test("a text becomes one stroke a character, and one Return a line end however it is written", () => {
    const strokes = strokesOf("a\r\nB\n\x00c\r😀");
    assert.deepEqual(
        strokes.map(({ key }) => key.keysym),
        [0x61, 0xff0d, 0x42, 0xff0d, 0x63, 0xff0d, 0x0101f600],
    );
    assert.deepEqual(
        strokes.map(({ shift }) => shift),
        [false, false, true, false, false, false, false],
    );
});

test("a shifted stroke holds Shift around the key", () => {
    const { events, press } = recorder();
    strokesOf("aA").forEach((stroke) => strike(press, stroke));
    assert.deepEqual(events, ["+61", "-61", "+ffe1", "+41", "-41", "-ffe1"]);
});

test("a chord lets go in the opposite order", () => {
    const { events, press } = recorder();
    chord(press, CTRL_ALT_DEL);
    assert.deepEqual(events, ["+ffe3", "+ffe9", "+ffff", "-ffff", "-ffe9", "-ffe3"]);
});

test("every chord and key of the panel is known to RFB by symbol and by place", () => {
    for (const { label, keys } of [...CHORDS, ...SINGLE]) {
        for (const key of keys) {
            assert.ok(key.keysym > 0, label);
            assert.match(key.code, /^[A-Z]\w+$/, label);
        }
    }
    assert.equal(KEYS.F12.keysym, 0xffc9);
});
