/**
 * Puts the page together: the one module that knows all the others.
 */

import { hasTokenCookie, readAddress, socketURL } from "./address.js";
import { Bar } from "./bar.js";
import { openChannel } from "./channel.js";
import { ClipPanel } from "./clippanel.js";
import { Connection } from "./connection.js";
import { button, byID, input, textArea } from "./dom.js";
import { KeyPanel } from "./keypanel.js";
import { Memory } from "./memory.js";
import { Notice } from "./notice.js";
import { loadRFB, Screen } from "./screen.js";
import { fileName, save } from "./screenshot.js";
import { SoftKeyboard } from "./softkeys.js";
import { TypePanel } from "./typepanel.js";

/** noVNC's own default. */
const COMPRESSION = 2;

/** @type {import("./connection.js").Clock} */
const clock = {
    now: () => performance.now(),
    setTimeout: (run, delay) => window.setTimeout(run, delay),
    clearTimeout: (timer) => window.clearTimeout(timer),
};

class Page {
    #address = readAddress(location.href);
    #memory = new Memory(
        () => sessionStorage,
        () => localStorage,
        history,
    );
    #options = this.#address.options;
    #choices = chosen(this.#memory.choices, this.#options);
    #touch = window.matchMedia("(pointer: coarse)").matches;
    #token;
    #name = this.#options.name;
    /** @type {Screen | null} */
    #screen = null;
    #connection;
    #notice;
    #bar;
    #keyPanel;
    #typePanel;
    #clipPanel;
    #softKeyboard;

    constructor() {
        if (this.#address.token !== "") {
            this.#memory.keepToken(this.#address.clean, this.#address.token);
        }
        this.#token = this.#address.token || this.#memory.token;
        const press = (/** @type {import("./keys.js").Key} */ key, /** @type {boolean} */ down) =>
            this.#screen?.press(key, down);
        this.#keyPanel = new KeyPanel(press);
        this.#typePanel = new TypePanel(press, clock);
        this.#clipPanel = new ClipPanel({
            send: (text) => this.#screen?.sendClipboard(text),
            clock,
            sync: this.#choices.syncClipboard,
            viewOnly: this.#options.viewOnly,
            choseSync: (syncClipboard) => this.#memory.choose({ syncClipboard }),
        });
        this.#softKeyboard = new SoftKeyboard(textArea("softkeys-field"), press, (shown) =>
            this.#softKeys(shown),
        );
        this.#bar = new Bar({
            tucked: this.#choices.tucked,
            toConsole: () => this.#screen?.focus(),
            choseTucked: (tucked) => this.#memory.choose({ tucked }),
        });
        this.#notice = new Notice(clock, { go: () => this.#go(), stop: () => this.#connection.disconnect() });
        this.#connection = new Connection({
            clock,
            random: Math.random,
            open: (report) => this.#open(report),
            changed: (view) => this.#show(view),
        });
    }

    start() {
        this.#showName();
        this.#wireTools();
        this.#wireView();
        this.#wireSurroundings();
        if (this.#token === "" && !hasTokenCookie(document.cookie)) {
            this.#connection.settle("token_missing");
        } else if (this.#options.autoconnect) {
            this.#connection.connect();
        } else {
            this.#connection.settle("not_started");
        }
    }

    /** @returns {import("./screen.js").Look} */
    get #look() {
        return {
            scaling: this.#choices.scaling,
            quality: this.#choices.quality,
            compression: this.#options.compression ?? COMPRESSION,
            showDot: this.#choices.showDot,
            viewOnly: this.#options.viewOnly,
            touch: this.#touch,
        };
    }

    /**
     * Begin an attempt.
     *
     * @param {import("./connection.js").Report} report
     * @returns {import("./connection.js").Link}
     */
    #open(report) {
        /** @type {Screen | null} */
        let screen = null;
        let wanted = true;
        loadRFB().then(
            (RFB) => {
                if (wanted) {
                    screen = this.#openScreen(RFB, report);
                    this.#screen = screen;
                }
            },
            (error) => {
                console.error(error);
                if (wanted) {
                    this.#connection.settle("browser_unsupported");
                }
            },
        );
        return {
            close: () => {
                wanted = false;
                screen?.close();
            },
        };
    }

    /**
     * @param {any} RFB
     * @param {import("./connection.js").Report} report
     * @returns {Screen}
     */
    #openScreen(RFB, report) {
        return new Screen(RFB, {
            place: byID("screen"),
            channel: openChannel(socketURL(location.href, this.#token, this.#address.path)),
            look: this.#look,
            clock,
            listener: {
                connected: report.connected,
                closed: report.closed,
                credentials: () => this.#connection.settle("credentials_required"),
                named: (name) => this.#named(name),
                clipboard: (text) => this.#clipPanel.receive(text),
                clipping: (clipping) => this.#offerPanning(clipping),
            },
        });
    }

    /** @param {import("./connection.js").View} view */
    #show(view) {
        const live = view.state === "connected";
        const over = !live && view.state !== "connecting" && view.state !== "reconnecting";
        if (!live) {
            this.#leaveScreen();
        }
        const hadFocus =
            byID("notice").contains(document.activeElement) || document.activeElement === document.body;
        this.#notice.show(view);
        for (const tool of document.querySelectorAll("[data-live]")) {
            /** @type {HTMLButtonElement} */ (tool).disabled = !live;
        }
        button("hangup").disabled = over;
        if (live && hadFocus) {
            this.#screen?.focus();
        }
    }

    /** The console is gone for now: keep what was seen, forget what is held down. */
    #leaveScreen() {
        const picture = this.#screen?.picture ?? null;
        if (picture !== null) {
            this.#notice.keepPicture(picture);
        }
        this.#screen = null;
        this.#typePanel.cancel();
        this.#keyPanel.release();
        this.#offerPanning(false);
    }

    #go() {
        if (this.#connection.view.state === "reconnecting") {
            this.#connection.retryNow();
        } else {
            this.#connection.connect();
        }
    }

    #wireTools() {
        for (const element of document.querySelectorAll("[data-input]")) {
            /** @type {HTMLElement} */ (element).hidden = this.#options.viewOnly;
        }
        byID("view-only").hidden = !this.#options.viewOnly;
        byID("softkeys").hidden = this.#options.viewOnly || !this.#touch;
        button("softkeys").addEventListener("click", () => this.#toggleSoftKeys());
        button("pan").addEventListener("click", () => this.#setPanning(!pressed("pan")));
        button("shot").addEventListener("click", () => this.#saveScreenshot());
        button("hangup").addEventListener("click", () => this.#connection.disconnect());
        byID("full").hidden = !document.fullscreenEnabled;
        button("full").addEventListener("click", () => this.#toggleFullScreen());
        document.addEventListener("fullscreenchange", () =>
            setPressed("full", document.fullscreenElement !== null),
        );
    }

    #wireView() {
        const radios = /** @type {NodeListOf<HTMLInputElement>} */ (document.getElementsByName("scaling"));
        for (const radio of radios) {
            radio.checked = radio.value === this.#choices.scaling;
            radio.disabled = radio.value === "remote" && this.#options.viewOnly;
            radio.addEventListener("change", () => {
                const scaling = /** @type {import("./address.js").Scaling} */ (radio.value);
                this.#choose({ scaling });
            });
        }
        document.documentElement.dataset.scaling = this.#choices.scaling;
        input("quality").valueAsNumber = this.#choices.quality;
        input("quality").addEventListener("change", () =>
            this.#choose({ quality: input("quality").valueAsNumber }),
        );
        input("show-dot").checked = this.#choices.showDot;
        input("show-dot").addEventListener("change", () =>
            this.#choose({ showDot: input("show-dot").checked }),
        );
    }

    #wireSurroundings() {
        window.addEventListener("online", () => {
            this.#connection.retryNow();
            this.#screen?.prove();
        });
        document.addEventListener("visibilitychange", () => {
            this.#connection.setVisible(!document.hidden);
            if (!document.hidden) {
                this.#screen?.prove();
            }
        });
        window.addEventListener("focus", () => void this.#clipPanel.bring());
        byID("screen").addEventListener("pointerdown", () => void this.#clipPanel.bring());
    }

    /** @param {Partial<import("./memory.js").Choices>} changes */
    #choose(changes) {
        Object.assign(this.#choices, changes);
        this.#memory.choose(changes);
        document.documentElement.dataset.scaling = this.#choices.scaling;
        this.#screen?.setLook(this.#look);
    }

    /** @param {string} name from the console; one given in the address comes first */
    #named(name) {
        this.#name = this.#options.name || name.trim();
        this.#showName();
    }

    #showName() {
        const name = this.#name || "Console";
        byID("name").textContent = name;
        byID("name").title = name;
        document.title = this.#name === "" ? "Console" : `${name} – console`;
    }

    async #saveScreenshot() {
        const blob = await this.#screen?.toBlob();
        if (blob) {
            save(blob, fileName(this.#name, new Date()));
        }
    }

    async #toggleFullScreen() {
        if (document.fullscreenElement !== null) {
            await document.exitFullscreen();
            return;
        }
        try {
            await document.documentElement.requestFullscreen({ navigationUI: "hide" });
            // Where the browser can, keys like Escape and Alt-Tab go to the console too; holding Escape
            // leaves.
            await /** @type {any} */ (navigator).keyboard?.lock?.();
        } catch {
            // The frame or the user does not allow it: the page stays as it is.
        }
        this.#screen?.focus();
    }

    #toggleSoftKeys() {
        if (this.#softKeyboard.shown) {
            this.#softKeyboard.hide();
        } else {
            this.#softKeyboard.show();
        }
    }

    /** @param {boolean} shown */
    #softKeys(shown) {
        setPressed("softkeys", shown);
        this.#bar.freeze(shown);
        // A keyboard that takes half of the frame is no reason to make the console smaller.
        if (this.#choices.scaling === "remote") {
            const scaling = shown ? "scale" : "remote";
            this.#screen?.setLook({ ...this.#look, scaling });
        }
    }

    /** @param {boolean} clipping */
    #offerPanning(clipping) {
        byID("pan").hidden = !clipping;
        if (!clipping) {
            this.#setPanning(false);
        }
    }

    /** @param {boolean} on */
    #setPanning(on) {
        setPressed("pan", on);
        this.#screen?.setPanning(on);
    }
}

/**
 * @param {import("./memory.js").Choices} choices the user's of last time
 * @param {import("./address.js").Options} options what the address asks for comes first
 * @returns {import("./memory.js").Choices}
 */
function chosen(choices, { resize, quality, showDot }) {
    return {
        ...choices,
        scaling: resize ?? choices.scaling,
        quality: quality ?? choices.quality,
        showDot: showDot ?? choices.showDot,
    };
}

/**
 * @param {string} id
 * @returns {boolean}
 */
function pressed(id) {
    return byID(id).getAttribute("aria-pressed") === "true";
}

/**
 * @param {string} id
 * @param {boolean} on
 */
function setPressed(id, on) {
    byID(id).setAttribute("aria-pressed", String(on));
}

new Page().start();
