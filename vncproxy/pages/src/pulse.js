/**
 * Is the other end still there?
 *
 * After a laptop has slept or a phone has changed networks a connection can look open for many minutes though
 * nothing comes through it. A request for one pixel, not incremental, makes every RFB server answer at once.
 */

/** FramebufferUpdateRequest for the pixel at 0,0 (RFC 6143 section 7.5.3). */
const ONE_PIXEL = new Uint8Array([3, 0, 0, 0, 0, 0, 0, 1, 0, 1]);

/** How long an answer may take, in ms. */
const PATIENCE = 5000;

/**
 * Ask, and call `silent` if nothing at all arrives in time.
 *
 * Only for a channel that shows the console: noVNC sends whole messages at once, so this one never falls into
 * the middle of another.
 *
 * @param {import("./channel.js").Channel} channel
 * @param {import("./connection.js").Clock} clock
 * @param {() => void} silent
 * @returns {() => void} forget the question
 */
export function takePulse(channel, clock, silent) {
    const timer = clock.setTimeout(() => {
        stop();
        silent();
    }, PATIENCE);
    const stop = () => {
        clock.clearTimeout(timer);
        channel.removeEventListener("message", stop);
    };
    channel.addEventListener("message", stop);
    channel.send(ONE_PIXEL);
    return stop;
}
