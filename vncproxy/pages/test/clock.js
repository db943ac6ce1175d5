/**
 * Time that stands still until a test moves it.
 *
 * @implements {import("../src/connection.js").Clock}
 */
export class FakeClock {
    #time = 0;
    #next = 1;
    /** @type {Map<number, {at: number, run: () => void}>} */
    #timers = new Map();

    now() {
        return this.#time;
    }

    /**
     * @param {() => void} run
     * @param {number} delay
     */
    setTimeout(run, delay) {
        const timer = this.#next++;
        this.#timers.set(timer, { at: this.#time + delay, run });
        return timer;
    }

    /** @param {number} timer */
    clearTimeout(timer) {
        this.#timers.delete(timer);
    }

    /** @returns {number} timers that wait */
    get waiting() {
        return this.#timers.size;
    }

    /** @param {number} delay in ms; whatever falls due meanwhile runs, in order */
    advance(delay) {
        const end = this.#time + delay;
        for (;;) {
            const due = [...this.#timers]
                .filter(([, { at }]) => at <= end)
                .sort(([, a], [, b]) => a.at - b.at)[0];
            if (due === undefined) {
                break;
            }
            const [timer, { at, run }] = due;
            this.#timers.delete(timer);
            this.#time = at;
            run();
        }
        this.#time = end;
    }
}
