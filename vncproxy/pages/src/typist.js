/**
 * Types a text as keys, at a pace that a console follows.
 */

import { strike, strokesOf } from "./keys.js";

/**
 * Time for one key event, in ms. QEMU passes on one event every 10 ms (`-vnc …,key-delay-ms`, as it comes)
 * and queues the rest; of a text that comes faster it drops events once the queue is full, after some 170
 * characters, and a lost release leaves Shift stuck. Real keyboards' controllers, whose buffer holds 16
 * bytes, are served by this pace as well.
 */
const EVENT_TIME = 12;

/** Key events of a stroke: its key down and up, and the same for Shift. */
const PLAIN_EVENTS = 2;
const SHIFTED_EVENTS = 4;

export class Typist {
    #press;
    #clock;
    /** @type {(() => void) | null} */
    #stop = null;

    /**
     * @param {import("./keys.js").Press} press
     * @param {import("./connection.js").Clock} clock
     */
    constructor(press, clock) {
        this.#press = press;
        this.#clock = clock;
    }

    /** @returns {boolean} whether a text is being typed */
    get busy() {
        return this.#stop !== null;
    }

    /**
     * Type `text`; a text that is still being typed is cancelled.
     *
     * @param {string} text
     * @param {(done: number, total: number) => void} progress strokes
     * @returns {Promise<boolean>} true when all of it is typed, false when it was cancelled
     */
    type(text, progress) {
        this.cancel();
        const strokes = strokesOf(text);
        return new Promise((resolve) => {
            let done = 0;
            /** @type {unknown} */
            let timer = null;
            const finish = (/** @type {boolean} */ complete) => {
                this.#stop = null;
                resolve(complete);
            };
            const next = () => {
                if (done === strokes.length) {
                    finish(true);
                    return;
                }
                const stroke = strokes[done];
                strike(this.#press, stroke);
                done += 1;
                progress(done, strokes.length);
                const events = stroke.shift ? SHIFTED_EVENTS : PLAIN_EVENTS;
                timer = this.#clock.setTimeout(next, events * EVENT_TIME);
            };
            this.#stop = () => {
                this.#clock.clearTimeout(timer);
                finish(false);
            };
            next();
        });
    }

    /** Stop after the stroke just made. Does nothing when nothing is typed. */
    cancel() {
        this.#stop?.();
    }
}
