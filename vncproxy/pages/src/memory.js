/**
 * What the page remembers: the token for a reload of this tab, the user's choices for next time.
 *
 * A browser may refuse all storage to a page inside a foreign frame; then nothing is remembered, and nothing
 * fails.
 */

import { readLevel, readScaling } from "./address.js";

const TOKEN = "vncproxy.token";
const CHOICES = "vncproxy.choices";

/**
 * @typedef {object} Choices
 * @property {import("./address.js").Scaling} scaling
 * @property {number} quality
 * @property {boolean} showDot
 * @property {boolean} syncClipboard
 * @property {boolean} tucked the toolbar is put away
 */

/** @type {Choices} */
const DEFAULTS = { scaling: "scale", quality: 6, showDot: false, syncClipboard: false, tucked: false };

export class Memory {
    #tab;
    #browser;
    #history;

    /**
     * @param {() => Storage} tab may throw
     * @param {() => Storage} browser may throw
     * @param {Pick<History, "state" | "replaceState">} history
     */
    constructor(tab, browser, history) {
        this.#tab = tab;
        this.#browser = browser;
        this.#history = history;
    }

    /**
     * Show `clean` in the address bar, and keep `token` for a reload.
     *
     * It is kept with the history entry, which belongs to this one frame, and in the tab's storage, which
     * finds it again when somebody retypes the address.
     *
     * @param {string} clean
     * @param {string} token
     */
    keepToken(clean, token) {
        this.#history.replaceState({ token }, "", clean);
        attempt(() => this.#tab().setItem(TOKEN, token));
    }

    /** @returns {string} the token of this frame, else the last of this tab, else empty */
    get token() {
        const state = this.#history.state;
        const own = typeof state?.token === "string" ? state.token : "";
        return own || attempt(() => this.#tab().getItem(TOKEN)) || "";
    }

    /** @returns {Choices} */
    get choices() {
        const kept = attempt(() => JSON.parse(this.#browser().getItem(CHOICES) ?? "{}"));
        const found = typeof kept === "object" && kept !== null ? kept : {};
        return {
            scaling: readScaling(found.scaling) ?? DEFAULTS.scaling,
            quality: readLevel(String(found.quality)) ?? DEFAULTS.quality,
            showDot: found.showDot === true,
            syncClipboard: found.syncClipboard === true,
            tucked: found.tucked === true,
        };
    }

    /** @param {Partial<Choices>} changes */
    choose(changes) {
        const choices = { ...this.choices, ...changes };
        attempt(() => this.#browser().setItem(CHOICES, JSON.stringify(choices)));
    }
}

/**
 * @template T
 * @param {() => T} action
 * @returns {T | null} null where the browser refuses, the storage is full, or what it holds is damaged
 */
function attempt(action) {
    try {
        return action();
    } catch {
        return null;
    }
}
