/**
 * Characters, keys and chords as RFB key events (RFC 6143 section 7.5.4; keysyms as in X11).
 *
 * A character goes out as its keysym alone: it does not depend on where the key lies on a keyboard, so the
 * console's own keymap decides. Upper case letters and the shifted characters of a US keyboard go out with
 * Shift held: an X server would not need it, but QEMU turns a keysym back into a key and leaves the modifiers
 * to us. Keysyms come from noVNC's table, which prefers the old names (Cyrillic_a) that QEMU's keymaps know
 * to the generic Unicode ones.
 */

// noVNC exports only its RFB class, so its table is reached by path.
import keysyms from "../node_modules/@novnc/novnc/core/input/keysymdef.js";

/**
 * @typedef {object} Key
 * @property {number} keysym
 * @property {string | null} code as in `KeyboardEvent.code`; null where only the symbol is known
 */

/**
 * @callback Press send one key event
 * @param {Key} key
 * @param {boolean} down
 * @returns {void}
 */

/**
 * @param {number} keysym
 * @param {string} code
 * @returns {Key}
 */
const key = (keysym, code) => Object.freeze({ keysym, code });

/**
 * Named keys, by the names of `KeyboardEvent.key`, left ones of the modifiers.
 *
 * @type {Record<string, Key>}
 */
export const KEYS = {
    Backspace: key(0xff08, "Backspace"),
    Tab: key(0xff09, "Tab"),
    Enter: key(0xff0d, "Enter"),
    Escape: key(0xff1b, "Escape"),
    Delete: key(0xffff, "Delete"),
    Insert: key(0xff63, "Insert"),
    Home: key(0xff50, "Home"),
    End: key(0xff57, "End"),
    PageUp: key(0xff55, "PageUp"),
    PageDown: key(0xff56, "PageDown"),
    ArrowLeft: key(0xff51, "ArrowLeft"),
    ArrowUp: key(0xff52, "ArrowUp"),
    ArrowRight: key(0xff53, "ArrowRight"),
    ArrowDown: key(0xff54, "ArrowDown"),
    PrintScreen: key(0xff61, "PrintScreen"),
    ScrollLock: key(0xff14, "ScrollLock"),
    Pause: key(0xff13, "Pause"),
    ContextMenu: key(0xff67, "ContextMenu"),
    Shift: key(0xffe1, "ShiftLeft"),
    Control: key(0xffe3, "ControlLeft"),
    Alt: key(0xffe9, "AltLeft"),
    Meta: key(0xffeb, "MetaLeft"),
    ...Object.fromEntries(
        Array.from({ length: 12 }, (_, index) => [`F${index + 1}`, key(0xffbe + index, `F${index + 1}`)]),
    ),
};

/** What a control character means to somebody who types. @type {Record<string, Key>} */
const CONTROL_CHARACTERS = {
    "\b": KEYS.Backspace,
    "\t": KEYS.Tab,
    "\n": KEYS.Enter,
    "\r": KEYS.Enter,
    "\x1b": KEYS.Escape,
    "\x7f": KEYS.Delete,
};

const US_SHIFTED = new Set('~!@#$%^&*()_+{}|:"<>?');

/**
 * The key of one character.
 *
 * @param {string} character one code point
 * @returns {Key | null} null for a control character that no key makes
 */
export function keyOf(character) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
        return CONTROL_CHARACTERS[character] ?? null;
    }
    return { keysym: keysyms.lookup(code), code: null };
}

/**
 * @param {string} character one code point
 * @returns {boolean} whether it is typed with Shift
 */
export function needsShift(character) {
    return US_SHIFTED.has(character) || character !== character.toLowerCase();
}

/**
 * The strokes that type a text. A line end is one Return, however it is written.
 *
 * @param {string} text
 * @returns {{key: Key, shift: boolean}[]}
 */
export function strokesOf(text) {
    const strokes = [];
    for (const character of text.replaceAll("\r\n", "\n")) {
        const key = keyOf(character);
        if (key !== null) {
            strokes.push({ key, shift: needsShift(character) });
        }
    }
    return strokes;
}

/**
 * Type one stroke.
 *
 * @param {Press} press
 * @param {{key: Key, shift: boolean}} stroke
 */
export function strike(press, { key, shift }) {
    chord(press, shift ? [KEYS.Shift, key] : [key]);
}

/**
 * Press keys one after the other, and let go of them in the opposite order.
 *
 * @param {Press} press
 * @param {Key[]} keys
 */
export function chord(press, keys) {
    for (const key of keys) {
        press(key, true);
    }
    for (const key of [...keys].reverse()) {
        press(key, false);
    }
}

export const CTRL_ALT_DEL = [KEYS.Control, KEYS.Alt, KEYS.Delete];

/** Chords that a browser or a desktop keeps for itself, or that a phone cannot make. */
export const CHORDS = [
    { label: "Alt+Tab", keys: [KEYS.Alt, KEYS.Tab] },
    { label: "Alt+F4", keys: [KEYS.Alt, KEYS.F4] },
    { label: "Ctrl+Esc", keys: [KEYS.Control, KEYS.Escape] },
    { label: "Ctrl+Alt+F1", keys: [KEYS.Control, KEYS.Alt, KEYS.F1] },
    { label: "Ctrl+Alt+F2", keys: [KEYS.Control, KEYS.Alt, KEYS.F2] },
    { label: "Ctrl+Alt+F7", keys: [KEYS.Control, KEYS.Alt, KEYS.F7] },
    { label: "Win", keys: [KEYS.Meta] },
    { label: "Win+R", keys: [KEYS.Meta, key(0x72, "KeyR")] },
    { label: "Win+L", keys: [KEYS.Meta, key(0x6c, "KeyL")] },
    { label: "Ctrl+C", keys: [KEYS.Control, key(0x63, "KeyC")] },
    { label: "Ctrl+D", keys: [KEYS.Control, key(0x64, "KeyD")] },
    { label: "Ctrl+Alt+⌫", name: "Control Alt Backspace", keys: [KEYS.Control, KEYS.Alt, KEYS.Backspace] },
];

/** Modifiers that can be held down from the page. */
export const HELD = [
    { label: "Ctrl", key: KEYS.Control },
    { label: "Alt", key: KEYS.Alt },
    { label: "Shift", key: KEYS.Shift },
    { label: "Win", key: KEYS.Meta },
];

/** Single keys in rows of six, with the name that a screen reader speaks where the label is a sign. */
export const SINGLE = [
    { label: "Esc", name: "Escape", keys: [KEYS.Escape] },
    { label: "Tab", keys: [KEYS.Tab] },
    { label: "⌫", name: "Backspace", keys: [KEYS.Backspace] },
    { label: "⏎", name: "Enter", keys: [KEYS.Enter] },
    { label: "Ins", name: "Insert", keys: [KEYS.Insert] },
    { label: "Del", name: "Delete", keys: [KEYS.Delete] },
    { label: "←", name: "Left", keys: [KEYS.ArrowLeft] },
    { label: "↓", name: "Down", keys: [KEYS.ArrowDown] },
    { label: "↑", name: "Up", keys: [KEYS.ArrowUp] },
    { label: "→", name: "Right", keys: [KEYS.ArrowRight] },
    { label: "Home", keys: [KEYS.Home] },
    { label: "End", keys: [KEYS.End] },
    { label: "PgUp", name: "Page up", keys: [KEYS.PageUp] },
    { label: "PgDn", name: "Page down", keys: [KEYS.PageDown] },
    { label: "PrtSc", name: "Print screen", keys: [KEYS.PrintScreen] },
    { label: "ScrLk", name: "Scroll lock", keys: [KEYS.ScrollLock] },
    { label: "Pause", keys: [KEYS.Pause] },
    { label: "Menu", keys: [KEYS.ContextMenu] },
    ...Array.from({ length: 12 }, (_, index) => ({ label: `F${index + 1}`, keys: [KEYS[`F${index + 1}`]] })),
];
