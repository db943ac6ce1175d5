/**
 * The panel that types a text as keys.
 */

import { button, byID, input, textArea } from "./dom.js";
import { Typist } from "./typist.js";

export class TypePanel {
    #typist;

    /**
     * @param {import("./keys.js").Press} press
     * @param {import("./connection.js").Clock} clock
     */
    constructor(press, clock) {
        this.#typist = new Typist(press, clock);
        button("type-go").addEventListener("click", () => this.#type());
        button("type-stop").addEventListener("click", () => this.cancel());
        byID("type-text").addEventListener("keydown", (event) => {
            if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
                this.#type();
            }
        });
    }

    /** Stop typing, if it goes on. */
    cancel() {
        this.#typist.cancel();
    }

    async #type() {
        const text = textArea("type-text").value + (input("type-enter").checked ? "\n" : "");
        if (this.#typist.busy || text === "") {
            return;
        }
        const progress = /** @type {HTMLProgressElement} */ (byID("type-progress"));
        this.#showBusy(true);
        const complete = await this.#typist.type(text, (done, total) => {
            progress.value = done / total;
        });
        this.#showBusy(false);
        if (complete) {
            textArea("type-text").value = "";
        }
    }

    /** @param {boolean} busy */
    #showBusy(busy) {
        byID("type-progress").hidden = !busy;
        button("type-stop").hidden = !busy;
        button("type-go").hidden = busy;
    }
}
