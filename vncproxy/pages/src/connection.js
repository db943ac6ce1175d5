/**
 * The life of the connection, apart from any page or network.
 *
 *      start ──► connecting ──► connected ──► reconnecting ──► connected …
 *                    │              │              │
 *                    └──────────────┴──────────────┴──► refused | ended | disconnected
 *
 * A retry comes after 0.5 s, then twice as late each time up to 10 s, each a little at random so that many
 * viewers do not come back in one instant. While the tab is hidden nobody waits for the picture, so nothing
 * is tried.
 */

import { tellingOf, tellings, wordFor } from "./reasons.js";

/** The first wait before a retry and the longest one, in ms. */
const FIRST_DELAY = 500;
const LONGEST_DELAY = 10_000;

/** A connection this old (ms) was a good one: the next retry is a first one again. */
const PROVEN_AFTER = 10_000;

/**
 * An attempt that shows nothing for this long (ms) has failed; the proxy's own handshake limit is shorter.
 */
const ATTEMPT_LIMIT = 30_000;

/** How often an address that never answered is tried before the user is told. */
const BLIND_TRIES = 3;

/**
 * @typedef {"connecting" | "connected" | "reconnecting" | "refused" | "ended" | "disconnected"} State
 */

/**
 * @typedef {object} View what the page shows; a new one at each change
 * @property {State} state
 * @property {string} reason the word of the last ending; empty when connecting or connected
 * @property {import("./reasons.js").Telling | null} telling what to say of it
 * @property {number | null} retryAt when the next try begins, on the clock; null where none is planned
 */

/**
 * @typedef {object} Clock
 * @property {() => number} now milliseconds
 * @property {(run: () => void, delay: number) => unknown} setTimeout
 * @property {(timer: any) => void} clearTimeout
 */

/**
 * @typedef {object} Report what an attempt tells; nothing is heard of it after `closed`
 * @property {() => void} connected
 * @property {(ending: import("./reasons.js").Ending) => void} closed
 */

/**
 * @typedef {object} Link
 * @property {() => void} close hang up
 */

export class Connection {
    #clock;
    #random;
    #open;
    #changed;
    /** @type {Link | null} */
    #link = null;
    /** The attempt whose reports count. */
    #attempt = 0;
    /** Failures since the last good connection. */
    #failures = 0;
    /** Attempts in a row that nobody answered. */
    #unanswered = 0;
    #everUp = false;
    #upSince = 0;
    #visible = true;
    /** @type {unknown} */
    #timer = null;
    /** @type {View} */
    #view = { state: "disconnected", reason: "not_started", telling: tellings.not_started, retryAt: null };

    /**
     * @param {object} parts
     * @param {Clock} parts.clock
     * @param {() => number} parts.random from 0 to 1
     * @param {(report: Report) => Link} parts.open begin an attempt; it reports later, never at once
     * @param {(view: View) => void} parts.changed
     */
    constructor({ clock, random, open, changed }) {
        this.#clock = clock;
        this.#random = random;
        this.#open = open;
        this.#changed = changed;
    }

    /** @returns {View} */
    get view() {
        return this.#view;
    }

    /** The user, or the page as it opens, wants the console. */
    connect() {
        this.#failures = 0;
        this.#unanswered = 0;
        this.#begin("connecting");
    }

    /** The user wants it no more. */
    disconnect() {
        this.settle("viewer_closed");
    }

    /**
     * End here, for a reason of the page's own.
     *
     * @param {string} word a key of the tellings
     */
    settle(word) {
        this.#drop();
        this.#finish(word, "");
    }

    /** The user, or a network that came back, does not want to wait for the next try. */
    retryNow() {
        if (this.#view.state === "reconnecting" && this.#link === null) {
            this.#begin("reconnecting");
        }
    }

    /**
     * The tab came to the front or went away.
     *
     * @param {boolean} visible
     */
    setVisible(visible) {
        this.#visible = visible;
        if (visible) {
            this.retryNow();
        } else if (this.#view.retryAt !== null) {
            this.#stopTimer();
            this.#show({ ...this.#view, retryAt: null });
        }
    }

    /** @param {"connecting" | "reconnecting"} state */
    #begin(state) {
        this.#drop();
        const attempt = this.#attempt;
        const retrying = state === "reconnecting";
        this.#link = this.#open({
            connected: () => attempt === this.#attempt && this.#connected(),
            closed: (ending) => attempt === this.#attempt && this.#closed(ending),
        });
        this.#timer = this.#clock.setTimeout(() => {
            this.#closed({ code: 1006, reason: "", sentence: "" });
        }, ATTEMPT_LIMIT);
        this.#show(
            retrying ? { ...this.#view, retryAt: null } : { state, reason: "", telling: null, retryAt: null },
        );
    }

    #connected() {
        this.#stopTimer();
        this.#everUp = true;
        this.#upSince = this.#clock.now();
        this.#show({ state: "connected", reason: "", telling: null, retryAt: null });
    }

    /** @param {import("./reasons.js").Ending} ending */
    #closed(ending) {
        const wasUp = this.#view.state === "connected";
        this.#drop();
        if (wasUp && this.#clock.now() - this.#upSince >= PROVEN_AFTER) {
            this.#failures = 0;
        }
        this.#failures += 1;

        const word = wordFor(ending, wasUp);
        this.#unanswered = word === "proxy_unreachable" ? this.#unanswered + 1 : 0;
        const hopeless = !this.#everUp && this.#unanswered >= BLIND_TRIES;
        if (tellings[word].course === "retry" && !hopeless) {
            this.#wait(word, ending.sentence);
        } else {
            this.#finish(word, ending.sentence);
        }
    }

    /**
     * @param {string} word
     * @param {string} sentence
     */
    #wait(word, sentence) {
        const telling = tellingOf(word, sentence, this.#everUp);
        let retryAt = null;
        if (this.#visible) {
            const delay = this.#delay();
            retryAt = this.#clock.now() + delay;
            this.#timer = this.#clock.setTimeout(() => this.#begin("reconnecting"), delay);
        }
        this.#show({ state: "reconnecting", reason: word, telling, retryAt });
    }

    /**
     * @param {string} word
     * @param {string} sentence
     */
    #finish(word, sentence) {
        const telling = tellingOf(word, sentence, this.#everUp);
        const state = telling.course === "retry" ? "refused" : telling.course;
        this.#show({ state, reason: word, telling, retryAt: null });
    }

    /** @returns {number} how long to wait, in ms: three quarters of it sure, one at random */
    #delay() {
        const full = Math.min(LONGEST_DELAY, FIRST_DELAY * 2 ** (this.#failures - 1));
        return Math.round(full * (0.75 + 0.25 * this.#random()));
    }

    /** Hear nothing more of the attempt that runs, and hang up. */
    #drop() {
        this.#stopTimer();
        this.#attempt += 1;
        const link = this.#link;
        this.#link = null;
        link?.close();
    }

    #stopTimer() {
        this.#clock.clearTimeout(this.#timer);
        this.#timer = null;
    }

    /** @param {View} view */
    #show(view) {
        this.#view = view;
        this.#changed(view);
    }
}
