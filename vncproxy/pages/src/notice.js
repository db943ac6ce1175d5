/**
 * What the user is told: the state beside the name, the card over the picture, the words for assistive
 * programs, and the last picture behind the card.
 */

import { button, byID } from "./dom.js";

/** How often (ms) the seconds that are left are counted. */
const COUNT_EVERY = 250;

/** How long (ms) the last picture stays once the connection is back: the new one comes within that time. */
const PICTURE_LINGERS = 400;

/** @type {Record<import("./connection.js").State, string>} */
const STATES = {
    connecting: "Connecting…",
    connected: "Connected",
    reconnecting: "Reconnecting…",
    refused: "Not connected",
    ended: "Ended",
    disconnected: "Disconnected",
};

/** @type {import("./reasons.js").Telling} */
const CONNECTING = { course: "retry", title: "Connecting…", text: "Opening the console." };

export class Notice {
    #clock;
    #root = document.documentElement;
    #card = byID("notice");
    #count = byID("notice-count");
    #go = button("notice-go");
    #stop = button("notice-stop");
    #snapshot = /** @type {HTMLCanvasElement} */ (byID("snapshot"));
    /** @type {unknown} */
    #timer = null;
    /** @type {unknown} */
    #lingering = null;
    /** @type {number | null} */
    #retryAt = null;

    /**
     * @param {import("./connection.js").Clock} clock
     * @param {object} actions
     * @param {() => void} actions.go connect, or retry now
     * @param {() => void} actions.stop
     */
    constructor(clock, { go, stop }) {
        this.#clock = clock;
        this.#go.addEventListener("click", go);
        this.#stop.addEventListener("click", stop);
    }

    /**
     * @param {import("./connection.js").View} view
     */
    show(view) {
        const telling = view.telling ?? CONNECTING;
        this.#root.dataset.state = view.state;
        this.#root.dataset.reason = view.reason;
        byID("state").textContent = STATES[view.state];
        byID("notice-title").textContent = telling.title;
        byID("notice-text").textContent = telling.text;
        this.#showButtons(view, telling);
        this.#countDown(view);
        const card = this.#card;
        const hadFocus = card.contains(document.activeElement);
        card.hidden = view.state === "connected";
        if (card.hidden) {
            this.#lingering = this.#clock.setTimeout(() => this.keepPicture(null), PICTURE_LINGERS);
        } else if (hadFocus || document.activeElement === document.body) {
            // The picture had the keyboard and is gone; the card's button is the next stop, and not pressed
            // by a key that was meant for the console.
            card.focus({ preventScroll: true });
        }
        this.#announce(view, telling);
    }

    /**
     * Put a picture behind the card, in the place where it was seen.
     *
     * @param {HTMLCanvasElement | null} picture null takes it away
     */
    keepPicture(picture) {
        this.#clock.clearTimeout(this.#lingering);
        const snapshot = this.#snapshot;
        snapshot.hidden = picture === null;
        snapshot.width = picture?.width ?? 0;
        snapshot.height = picture?.height ?? 0;
        if (picture !== null) {
            snapshot.getContext("2d")?.drawImage(picture, 0, 0);
        }
    }

    /**
     * @param {import("./connection.js").View} view
     * @param {import("./reasons.js").Telling} telling
     */
    #showButtons(view, telling) {
        const retrying = view.state === "reconnecting";
        const over = !retrying && view.state !== "connecting" && telling.again === true;
        this.#go.hidden = !retrying && !over;
        this.#go.textContent = retrying
            ? "Retry now"
            : view.state === "disconnected"
              ? "Connect"
              : "Try again";
        this.#stop.hidden = !retrying;
    }

    /** @param {import("./connection.js").View} view */
    #countDown(view) {
        this.#clock.clearTimeout(this.#timer);
        this.#retryAt = view.retryAt;
        this.#count.hidden = view.state !== "reconnecting";
        this.#tick();
    }

    #tick() {
        if (this.#retryAt === null) {
            this.#count.textContent = "Trying again…";
            return;
        }
        const seconds = Math.max(1, Math.ceil((this.#retryAt - this.#clock.now()) / 1000));
        this.#count.textContent = `Trying again in ${seconds} s`;
        this.#timer = this.#clock.setTimeout(() => this.#tick(), COUNT_EVERY);
    }

    /**
     * Say it once: the same words again, as at every retry, would talk over the user's work.
     *
     * @param {import("./connection.js").View} view
     * @param {import("./reasons.js").Telling} telling
     */
    #announce(view, telling) {
        const announcer = byID("announcer");
        const follows = view.state === "reconnecting" ? " Reconnecting." : "";
        const words =
            view.telling === null ? STATES[view.state] : `${telling.title}. ${telling.text}${follows}`;
        if (announcer.textContent !== words) {
            announcer.textContent = words;
        }
    }
}
