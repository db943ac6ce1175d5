/**
 * The picture as a file.
 */

/** The longest part of a file name that comes from the console's name, in characters. */
const LONGEST_NAME = 80;

/**
 * @param {string} name the console's
 * @param {Date} when in the user's own time
 * @returns {string} a file name that every system takes
 */
export function fileName(name, when) {
    const safe = name
        .replaceAll(/[^\p{L}\p{N}._-]+/gu, "-")
        .replaceAll(/^[-.]+|[-.]+$/g, "")
        .slice(0, LONGEST_NAME);
    const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
    const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())}`;
    const time = `${two(when.getHours())}-${two(when.getMinutes())}-${two(when.getSeconds())}`;
    return `${safe || "console"}_${day}_${time}.png`;
}

/**
 * Hand a file to the user.
 *
 * @param {Blob} blob
 * @param {string} name
 */
export function save(blob, name) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    // The browser takes its own hold of the data as the download begins, which is not in this turn.
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
