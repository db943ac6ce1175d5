/**
 * The clipboard: a panel for it, and the step with this computer's own where the browser and the user allow.
 *
 * A browser lets a page write its clipboard on a user's gesture and read it only with the user's leave, for
 * which it asks. So the page reads it by itself only after the user has switched that on, and only while the
 * leave holds.
 */

import { button, byID, input, textArea } from "./dom.js";

/** How long (ms) "Copied" stays. */
const DONE_STAYS = 2000;

export class ClipPanel {
    #send;
    #clock;
    #system = navigator.clipboard;
    /** What both sides hold, so that nothing is sent back to where it came from. */
    #shared = "";
    /** @type {unknown} */
    #timer = null;

    /**
     * @param {object} parts
     * @param {(text: string) => void} parts.send to the console
     * @param {import("./connection.js").Clock} parts.clock
     * @param {boolean} parts.sync the user's choice of last time
     * @param {boolean} parts.viewOnly nothing is sent
     * @param {(sync: boolean) => void} parts.choseSync
     */
    constructor({ send, clock, sync, viewOnly, choseSync }) {
        this.#send = send;
        this.#clock = clock;
        button("clip-send").addEventListener("click", () => this.#sendText());
        button("clip-copy").addEventListener("click", () => this.#copy());
        textArea("clip-text").readOnly = viewOnly;

        const readable = typeof this.#system?.readText === "function" && !viewOnly;
        byID("clip-sync-row").hidden = !readable;
        input("clip-sync").checked = sync && readable;
        input("clip-sync").addEventListener("change", () => {
            choseSync(input("clip-sync").checked);
            void this.bring();
        });
    }

    /**
     * The console has copied something.
     *
     * @param {string} text
     */
    receive(text) {
        this.#shared = text;
        textArea("clip-text").value = text;
        if (input("clip-sync").checked) {
            this.#system.writeText(text).catch(() => {
                // Not in front, or no leave: the text is in the panel.
            });
        }
    }

    /** The user turns to the console: bring it what this computer's clipboard holds, if that is wished. */
    async bring() {
        if (!input("clip-sync").checked || !document.hasFocus()) {
            return;
        }
        try {
            const text = await this.#system.readText();
            if (text !== "" && text !== this.#shared) {
                this.#shared = text;
                textArea("clip-text").value = text;
                this.#send(text);
            }
        } catch {
            // No leave, or none any more; asking again at every click would be a nuisance.
            input("clip-sync").checked = false;
        }
    }

    #sendText() {
        this.#shared = textArea("clip-text").value;
        this.#send(this.#shared);
        this.#tell("Sent");
    }

    async #copy() {
        const field = textArea("clip-text");
        try {
            await this.#system.writeText(field.value);
            this.#tell("Copied");
        } catch {
            field.select();
            this.#tell("Press Ctrl+C to copy");
        }
    }

    /** @param {string} words */
    #tell(words) {
        const done = byID("clip-done");
        done.textContent = words;
        this.#clock.clearTimeout(this.#timer);
        this.#timer = this.#clock.setTimeout(() => {
            done.textContent = "";
        }, DONE_STAYS);
    }
}
