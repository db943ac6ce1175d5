/**
 * The toolbar: one panel open at a time, put away in small frames, and reachable from the console by
 * keyboard.
 *
 * `data-bar` on the root element says how it stands: "full" (beside the picture), "tucked" (only the handle
 * shows) or "open" (over the picture, until the user goes back to it).
 */

import { byID } from "./dom.js";

/** A frame this small has no room for a toolbar beside the picture. */
const SMALL_FRAME = "(max-height: 479px), (max-width: 319px)";

const PANELS = ["keys", "type", "clip", "view", "tray"];

const MODIFIERS = new Set(["Control", "Alt", "Shift", "AltGraph", "Meta"]);

export class Bar {
    #root = document.documentElement;
    #bar = byID("bar");
    #handle = byID("handle");
    #stage = byID("stage");
    #small = window.matchMedia(SMALL_FRAME);
    #wanted;
    #frozen = false;
    #toConsole;
    #choseTucked;

    /**
     * @param {object} parts
     * @param {boolean} parts.tucked the user's choice of last time
     * @param {() => void} parts.toConsole give the keyboard back to the console
     * @param {(tucked: boolean) => void} parts.choseTucked
     */
    constructor({ tucked, toConsole, choseTucked }) {
        this.#wanted = tucked;
        this.#toConsole = toConsole;
        this.#choseTucked = choseTucked;
        this.#wirePanels();
        this.#wireTucking();
        this.#wireKeyboard();
        this.#keepFocusInConsole();
        this.#settle();
    }

    /**
     * @param {boolean} on while a phone's keyboard takes half of the frame, that is no reason to change the
     * toolbar
     */
    freeze(on) {
        this.#frozen = on;
        this.#settle();
    }

    /** Close whatever panel is open. */
    closePanels() {
        for (const id of PANELS) {
            this.#setPanel(id, false);
        }
    }

    /** Show the toolbar, and let the keyboard walk it. */
    enter() {
        if (this.#root.dataset.bar === "tucked") {
            this.#set("open");
        }
        this.#buttons()[0]?.focus();
    }

    #wirePanels() {
        for (const id of PANELS) {
            this.#opener(id).addEventListener("click", () => this.#toggle(id));
            byID(id)
                .querySelector(".close")
                ?.addEventListener("click", (event) => {
                    this.#leavePanel(id, byPointer(/** @type {MouseEvent} */ (event)));
                });
        }
        byID("tray").addEventListener("click", (event) => {
            const button = event.target instanceof Element && event.target.closest("button");
            if (button && !button.hasAttribute("aria-controls")) {
                this.#setPanel("tray", false);
            }
        });
    }

    #wireTucking() {
        this.#handle.addEventListener("click", (event) => {
            if (byPointer(event)) {
                this.#set("open");
            } else {
                this.enter();
            }
        });
        byID("tuck").addEventListener("click", () => {
            if (this.#root.dataset.bar === "full") {
                this.#wanted = true;
                this.#choseTucked(true);
            } else if (!this.#cramped()) {
                this.#wanted = false;
                this.#choseTucked(false);
            }
            this.closePanels();
            this.#settle();
            this.#toConsole();
        });
        this.#stage.addEventListener("pointerdown", () => {
            this.#setPanel("tray", false);
            if (this.#root.dataset.bar === "open") {
                this.closePanels();
                this.#set("tucked");
            }
        });
        this.#small.addEventListener("change", () => this.#settle());
        document.addEventListener("fullscreenchange", () => this.#settle());
    }

    #wireKeyboard() {
        for (const area of [this.#bar, this.#handle, ...PANELS.map(byID)]) {
            area.addEventListener("keydown", (event) => {
                if (event.key === "Escape" && !event.isComposing) {
                    event.preventDefault();
                    event.stopPropagation();
                    this.#escape();
                }
            });
        }
        this.#bar.addEventListener("keydown", (event) => {
            const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
            const buttons = this.#buttons();
            const here = buttons.indexOf(/** @type {HTMLButtonElement} */ (document.activeElement));
            if (step !== undefined && here >= 0) {
                event.preventDefault();
                buttons[(here + step + buttons.length) % buttons.length].focus();
            }
        });
        this.#listenForWayOut();
    }

    /**
     * Control, Alt and Shift, pressed together and let go of with no other key: the way out of a console that
     * takes all keys. The console has seen them go up again by then.
     */
    #listenForWayOut() {
        let armed = false;
        window.addEventListener(
            "keydown",
            (event) => {
                const all = event.ctrlKey && event.altKey && event.shiftKey;
                armed = MODIFIERS.has(event.key) && (armed || all);
            },
            { capture: true },
        );
        window.addEventListener(
            "keyup",
            (event) => {
                if (armed && !event.ctrlKey && !event.altKey && !event.shiftKey) {
                    armed = false;
                    this.enter();
                }
            },
            { capture: true },
        );
        window.addEventListener("blur", () => {
            armed = false;
        });
    }

    /**
     * A click on a button leaves the keyboard where it was: with the console, or on a phone with its
     * keyboard.
     */
    #keepFocusInConsole() {
        for (const area of [this.#bar, this.#handle, byID("keys")]) {
            area.addEventListener("mousedown", (event) => event.preventDefault());
        }
    }

    #escape() {
        const open = PANELS.find((id) => this.#isOpen(id));
        if (open !== undefined) {
            this.#leavePanel(open);
            return;
        }
        this.#settle();
        this.#toConsole();
    }

    /**
     * Close a panel, and put the keyboard where its user expects it: who closed it with a key goes on in the
     * toolbar.
     *
     * @param {string} id
     * @param {boolean} [pointer] it was closed with the pointer
     */
    #leavePanel(id, pointer = false) {
        const inside = byID(id).contains(document.activeElement);
        const opener = this.#opener(id);
        this.#setPanel(id, false);
        if (inside && (pointer || opener.offsetParent === null)) {
            this.#toConsole();
        } else if (inside) {
            opener.focus();
        }
    }

    /** @param {string} id */
    #toggle(id) {
        const open = !this.#isOpen(id);
        this.closePanels();
        this.#setPanel(id, open);
        if (open) {
            const panel = byID(id);
            panel.scrollTop = 0;
            /** @type {HTMLElement | null} */ (panel.querySelector("textarea"))?.focus();
        }
    }

    /**
     * @param {string} id
     * @returns {boolean}
     */
    #isOpen(id) {
        return this.#opener(id).getAttribute("aria-expanded") === "true";
    }

    /**
     * @param {string} id
     * @param {boolean} open
     */
    #setPanel(id, open) {
        this.#opener(id).setAttribute("aria-expanded", String(open));
        if (id === "tray") {
            byID(id).classList.toggle("open", open);
        } else {
            byID(id).hidden = !open;
        }
    }

    /**
     * @param {string} id
     * @returns {HTMLElement}
     */
    #opener(id) {
        return byID(id === "tray" ? "more" : `open-${id}`);
    }

    /** @returns {HTMLButtonElement[]} those that can be reached now */
    #buttons() {
        const all = /** @type {HTMLButtonElement[]} */ ([...this.#bar.querySelectorAll("button")]);
        return all.filter((button) => !button.disabled && button.offsetParent !== null);
    }

    /** @returns {boolean} */
    #cramped() {
        return this.#small.matches || document.fullscreenElement !== null;
    }

    #settle() {
        if (!this.#frozen) {
            this.#set(this.#cramped() || this.#wanted ? "tucked" : "full");
        }
    }

    /** @param {"full" | "tucked" | "open"} bar */
    #set(bar) {
        this.#root.dataset.bar = bar;
        this.#handle.setAttribute("aria-expanded", String(bar !== "tucked"));
        const label = bar === "open" && !this.#cramped() ? "Keep the toolbar" : "Hide the toolbar";
        byID("tuck").title = label;
        /** @type {HTMLElement} */ (byID("tuck").querySelector(".label")).textContent = label;
    }
}

/**
 * @param {MouseEvent} click
 * @returns {boolean} false where a key has made it
 */
function byPointer(click) {
    return click.detail > 0;
}
