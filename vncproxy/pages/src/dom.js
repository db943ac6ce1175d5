/**
 * Finding the elements of our own page.
 */

/**
 * @param {string} id
 * @returns {HTMLElement}
 * @throws {Error} the page and the script are not of one build
 */
export function byID(id) {
    const element = document.getElementById(id);
    if (element === null) {
        throw new Error(`the page has no element "${id}"`);
    }
    return element;
}

/**
 * @param {string} id
 * @returns {HTMLButtonElement}
 */
export const button = (id) => /** @type {HTMLButtonElement} */ (byID(id));

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
export const input = (id) => /** @type {HTMLInputElement} */ (byID(id));

/**
 * @param {string} id
 * @returns {HTMLTextAreaElement}
 */
export const textArea = (id) => /** @type {HTMLTextAreaElement} */ (byID(id));
