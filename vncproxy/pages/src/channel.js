/**
 * The byte channel to the proxy: the one place that knows it is a WebSocket.
 *
 * What it returns has what noVNC asks of a raw channel (`send`, `close`, `binaryType`, `protocol`,
 * `readyState` and the `on…` handlers) and is an EventTarget with "message" and "close" events. Another
 * transport with the same face can take its place.
 */

/** @typedef {WebSocket} Channel */

/**
 * Open a channel.
 *
 * @param {string} url
 * @returns {Channel} still connecting
 */
export function openChannel(url) {
    const channel = new WebSocket(url);
    channel.binaryType = "arraybuffer";
    return channel;
}
