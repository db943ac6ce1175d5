/**
 * What the page's address says: the token, how to reach the proxy, and noVNC's parameters.
 *
 *     vnc_auto.html?token=T&view_only=true            our own form
 *     vnc_auto.html?path=websockify%3Ftoken%3DT       noVNC's form, which nova makes
 *     vnc_auto.html#token=T                           the same after a `#`, which no server ever sees
 *
 * Pure: text in, values out.
 */

/** Where the proxy takes WebSockets, relative to the page's directory. */
const SOCKET_PATH = "websockify";

/** The longest console name that is worth showing, in characters. */
const LONGEST_NAME = 200;

/**
 * @typedef {"scale" | "remote" | "off"} Scaling
 *     fit the picture to the window · ask the console to take the window's size · one to one
 */

/**
 * @typedef {object} Options
 * @property {boolean} autoconnect connect at once, without waiting for a click
 * @property {boolean} viewOnly offer no input
 * @property {Scaling | null} resize null where the address does not say
 * @property {number | null} quality JPEG quality 0 to 9
 * @property {number | null} compression 0 to 9
 * @property {boolean | null} showDot draw a dot where the console draws no pointer
 * @property {string} name what to call the console until it tells its own name; may be empty
 */

/**
 * @typedef {object} Address
 * @property {string} token empty when there is none
 * @property {string} path noVNC's `path` without the token; empty for our own
 * @property {string} clean the address without the token, for the address bar
 * @property {Options} options
 */

/**
 * Read the page's address.
 *
 * @param {string} href the whole address
 * @returns {Address}
 */
export function readAddress(href) {
    const url = new URL(href);
    const sources = [url.searchParams];
    const fragment = new URLSearchParams(url.hash.slice(1));
    if (url.hash.includes("=")) {
        sources.push(fragment);
    }

    const inPath = sources.map(takePathToken);
    const direct = sources.map((source) => take(source, "token"));
    const token = [...direct, ...inPath].find((text) => text !== "") ?? "";
    if (token !== "" && sources.includes(fragment)) {
        url.hash = fragment.toString();
    }
    const look = (/** @type {string[]} */ ...names) => lookUp(sources, names);
    return { token, path: look("path") ?? "", clean: url.href, options: readOptions(look) };
}

/**
 * Whether a dashboard has left the token in a cookie, which the browser sends along by itself.
 *
 * @param {string} cookies as in `document.cookie`
 * @returns {boolean}
 */
export function hasTokenCookie(cookies) {
    return cookies.split(";").some((cookie) => /^\s*token=./.test(cookie));
}

/**
 * The address of the WebSocket: always the page's own host, whatever `path` says.
 *
 * @param {string} href the page's address
 * @param {string} token empty where a cookie brings it
 * @param {string} path noVNC's `path`, or empty
 * @returns {string}
 */
export function socketURL(href, token, path) {
    const page = new URL(href);
    const asked = path === "" ? null : resolve(path, page);
    const url = asked?.host === page.host ? asked : new URL(SOCKET_PATH, page);
    url.protocol = page.protocol === "https:" ? "wss:" : "ws:";
    url.hash = "";
    if (token !== "") {
        url.searchParams.set("token", token);
    }
    return url.href;
}

/**
 * @param {string} path
 * @param {URL} page
 * @returns {URL | null} null where `path` makes no address
 */
function resolve(path, page) {
    try {
        return new URL(path, page);
    } catch {
        return null;
    }
}

/**
 * @param {URLSearchParams} source
 * @param {string} name
 * @returns {string} the first value, which is no longer in `source`
 */
function take(source, name) {
    const value = source.get(name);
    if (value === null) {
        return "";
    }
    source.delete(name);
    return value.trim();
}

/**
 * @param {URLSearchParams} source its `path` loses the token, or goes where nothing else is left of it
 * @returns {string} the token
 */
function takePathToken(source) {
    const path = source.get("path") ?? "";
    const mark = path.indexOf("?");
    if (mark < 0) {
        return "";
    }
    const query = new URLSearchParams(path.slice(mark + 1));
    const token = take(query, "token");
    const others = query.toString();
    const rest = path.slice(0, mark) + (others === "" ? "" : `?${others}`);
    if (rest === "") {
        source.delete("path");
    } else {
        source.set("path", rest);
    }
    return token;
}

/**
 * @param {URLSearchParams[]} sources
 * @param {string[]} names
 * @returns {string | null} the first that is there
 */
function lookUp(sources, names) {
    for (const name of names) {
        for (const source of sources) {
            const value = source.get(name);
            if (value !== null) {
                return value;
            }
        }
    }
    return null;
}

/**
 * @param {(...names: string[]) => string | null} look
 * @returns {Options}
 */
function readOptions(look) {
    return {
        autoconnect: readFlag(look("autoconnect")) ?? true,
        viewOnly: readFlag(look("view_only")) ?? false,
        resize: readScaling(look("resize")),
        quality: readLevel(look("quality")),
        compression: readLevel(look("compression")),
        showDot: readFlag(look("show_dot")),
        name: (look("title", "name") ?? "").trim().slice(0, LONGEST_NAME),
    };
}

/**
 * @param {string | null} text
 * @returns {boolean | null} null where it says neither yes nor no
 */
function readFlag(text) {
    const yes = ["true", "1", "yes", "on"];
    const no = ["false", "0", "no", "off"];
    const word = (text ?? "").toLowerCase();
    return yes.includes(word) ? true : no.includes(word) ? false : null;
}

/**
 * @param {string | null} text
 * @returns {Scaling | null}
 */
export function readScaling(text) {
    return text === "scale" || text === "remote" || text === "off" ? text : null;
}

/**
 * @param {string | null} text
 * @returns {number | null}
 */
export function readLevel(text) {
    return text !== null && /^[0-9]$/.test(text) ? Number(text) : null;
}
