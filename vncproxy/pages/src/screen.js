/**
 * The console's picture: noVNC's RFB class on a channel, and the events that the page needs of both.
 */

import { takePulse } from "./pulse.js";

/** How long (ms) a refusal waits for the close frame that tells its reason word. */
const CLOSE_PATIENCE = 3000;

/**
 * @typedef {object} Look
 * @property {import("./address.js").Scaling} scaling
 * @property {number} quality
 * @property {number} compression
 * @property {boolean} showDot
 * @property {boolean} viewOnly
 * @property {boolean} touch the user has fingers, no pointer: scrollbars would be of no use
 */

/**
 * @typedef {object} Listener
 * @property {() => void} connected
 * @property {(ending: import("./reasons.js").Ending) => void} closed once; nothing comes after it
 * @property {() => void} credentials the console asks for a password
 * @property {(name: string) => void} named
 * @property {(text: string) => void} clipboard
 * @property {(clipping: boolean) => void} clipping the picture is larger than its place
 */

/**
 * Get noVNC ready. It looks for video decoders first, which takes the browser a moment, and it fails in
 * browsers that it does not support.
 *
 * @returns {Promise<any>} its RFB class
 */
export async function loadRFB() {
    const module = await import("@novnc/novnc");
    return module.default;
}

export class Screen {
    #rfb;
    #channel;
    #clock;
    #listener;
    /** What the server said when it refused, in RFB. */
    #sentence = "";
    #up = false;
    /** Nothing more is told to the listener. */
    #over = false;
    /** noVNC has hung up by itself: after a refusal, or because it cannot read what comes. */
    #gaveUp = false;
    /** @type {HTMLCanvasElement | null} */
    #canvas;
    #timer = /** @type {unknown} */ (null);
    #stopPulse = () => {};

    /**
     * @param {any} RFB noVNC's class
     * @param {object} parts
     * @param {HTMLElement} parts.place where the picture goes
     * @param {import("./channel.js").Channel} parts.channel not yet open
     * @param {Look} parts.look
     * @param {import("./connection.js").Clock} parts.clock
     * @param {Listener} parts.listener
     */
    constructor(RFB, { place, channel, look, clock, listener }) {
        this.#channel = channel;
        this.#clock = clock;
        this.#listener = listener;
        // Before noVNC's own listener: that one takes the picture away.
        channel.addEventListener("close", (event) => this.#closed(event.code, event.reason));
        this.#rfb = new RFB(place, channel, { shared: true });
        this.#rfb.background = "transparent";
        this.setLook(look);
        this.#canvas = place.querySelector("canvas");
        this.#dressCanvas();
        this.#listen();
    }

    /**
     * @returns {HTMLCanvasElement | null} what was last seen, also after the end; null before the console was
     * there
     */
    get picture() {
        return this.#up ? this.#canvas : null;
    }

    /** @param {Look} look */
    setLook(look) {
        const rfb = this.#rfb;
        rfb.viewOnly = look.viewOnly;
        rfb.qualityLevel = look.quality;
        rfb.compressionLevel = look.compression;
        rfb.showDotCursor = look.showDot;
        rfb.clipViewport = look.touch && look.scaling !== "scale";
        rfb.scaleViewport = look.scaling === "scale";
        rfb.resizeSession = look.scaling === "remote";
    }

    /** @param {boolean} on fingers and pointer move the view, not the console's pointer */
    setPanning(on) {
        this.#rfb.dragViewport = on;
    }

    /** Keys go to the console from now on. */
    focus() {
        this.#rfb.focus({ preventScroll: true });
    }

    /**
     * @param {import("./keys.js").Key} key
     * @param {boolean} down
     */
    press({ keysym, code }, down) {
        this.#rfb.sendKey(keysym, code, down);
    }

    /** @param {string} text becomes the console's clipboard */
    sendClipboard(text) {
        this.#rfb.clipboardPasteFrom(text);
    }

    /** @returns {Promise<Blob | null>} the picture as PNG */
    toBlob() {
        return new Promise((resolve) => this.#rfb.toBlob(resolve, "image/png"));
    }

    /** Make sure that the connection still lives; if not, it is closed as lost. */
    prove() {
        if (this.#up && !this.#over && this.#channel.readyState === WebSocket.OPEN) {
            this.#stopPulse();
            this.#stopPulse = takePulse(this.#channel, this.#clock, () => this.#closed(1006, ""));
        }
    }

    /** Hang up. Nothing is heard of it afterwards. */
    close() {
        this.#end();
        if (!this.#gaveUp) {
            this.#rfb.disconnect();
        }
    }

    #listen() {
        const on = (/** @type {string} */ type, /** @type {(detail: any) => void} */ run) =>
            this.#rfb.addEventListener(
                type,
                (/** @type {CustomEvent} */ event) => this.#over || run(event.detail),
            );
        on("connect", () => {
            this.#up = true;
            this.#listener.connected();
        });
        on("desktopname", ({ name }) => this.#listener.named(name));
        on("clipboard", ({ text }) => this.#listener.clipboard(text));
        on("clippingviewport", (clipping) => this.#listener.clipping(clipping));
        on("credentialsrequired", () => this.#listener.credentials());
        on("securityfailure", ({ reason }) => {
            this.#sentence = reason ?? "It did not say why.";
        });
        on("disconnect", () => {
            this.#gaveUp = true;
            // The proxy's close frame tells more, if one comes.
            this.#timer = this.#clock.setTimeout(() => this.#closed(1005, ""), CLOSE_PATIENCE);
        });
    }

    /** Let the keyboard reach the picture, and tell assistive programs what it is. */
    #dressCanvas() {
        const canvas = this.#canvas;
        if (canvas !== null) {
            canvas.tabIndex = 0;
            canvas.setAttribute("role", "application");
            canvas.setAttribute("aria-label", "Console screen");
            canvas.setAttribute("aria-describedby", "way-out");
        }
    }

    /**
     * @param {number} code
     * @param {string} reason
     */
    #closed(code, reason) {
        if (!this.#over) {
            this.#end();
            // A proxy only sees that this viewer has hung up.
            const ours = this.#gaveUp && this.#sentence === "" && ["", "viewer_closed"].includes(reason);
            this.#listener.closed({
                code,
                reason: ours ? "viewer_failed" : reason,
                sentence: this.#sentence,
            });
        }
    }

    #end() {
        this.#over = true;
        this.#clock.clearTimeout(this.#timer);
        this.#stopPulse();
    }
}
