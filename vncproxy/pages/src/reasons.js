/**
 * Every refusal and every ending, in words that a user understands.
 *
 * The keys are the proxy's stable reason words, which it sends as the reason of a WebSocket close frame; the
 * last group are the page's own, for what no close frame can tell. Pure.
 */

/**
 * @typedef {"retry" | "refused" | "ended" | "disconnected"} Course what the page does then
 */

/**
 * @typedef {object} Telling
 * @property {Course} course
 * @property {string} title a few words
 * @property {string} text what it means and what to do
 * @property {boolean} [again] offer a button that tries once more (for a course that is not "retry")
 */

/**
 * @typedef {object} Ending how a connection came to its end
 * @property {number} code of the close event (RFC 6455 section 7.4)
 * @property {string} reason of the close event
 * @property {string} sentence what the server said in RFB; empty when it said nothing
 */

/** @type {Record<string, Telling>} */
export const tellings = {
    token_missing: {
        course: "refused",
        title: "No console link",
        text: "Open the console from the link you were given. This address alone does not say which one.",
    },
    token_unknown: {
        course: "refused",
        title: "This link is not valid",
        text: "It may be incomplete, or it was withdrawn. Ask for a new console link.",
    },
    token_expired: {
        course: "refused",
        title: "This link has expired",
        text: "Console links work for a limited time. Ask for a new one.",
    },
    token_used: {
        course: "refused",
        title: "This link was already used",
        text: "It can be opened only a limited number of times. Ask for a new console link.",
    },
    token_wrong_type: {
        course: "refused",
        title: "This link is for another viewer",
        text: "It was made for a different kind of viewer. Ask for a link for the browser.",
    },
    token_wrong_address: {
        course: "refused",
        title: "This link is for another computer",
        text: "It may only be used from the network address that it was made for.",
    },
    origin_refused: {
        course: "refused",
        title: "This website may not show the console",
        text: "The console proxy does not accept connections from this website. Tell whoever runs it.",
    },
    console_unknown: {
        course: "refused",
        title: "This console does not exist any more",
        text: "The machine may have been deleted.",
    },
    console_forbidden: {
        course: "refused",
        title: "This console may not be opened",
        text: "The proxy is not allowed to connect to this machine's address. Tell whoever runs it.",
    },
    console_refused: {
        course: "refused",
        title: "The console refused the connection",
        text: "It did not accept the proxy's login. Tell whoever runs the machine.",
        again: true,
    },
    console_broken: {
        course: "refused",
        title: "This is not a console",
        text: "What answers at the machine's address does not speak VNC. Tell whoever runs it.",
        again: true,
    },

    console_busy: {
        course: "refused",
        title: "This console is in use",
        text: "Somebody else is looking at it, and it may have no further viewer. Try again later.",
        again: true,
    },
    address_busy: {
        course: "refused",
        title: "Too many consoles are open",
        text: "No more may be open from your network address. Close one of them, then try again.",
        again: true,
    },
    owner_busy: {
        course: "refused",
        title: "Too many consoles are open",
        text: "No more may be open by links from the same place. Try again later.",
        again: true,
    },
    too_many_attempts: {
        course: "refused",
        title: "Too many wrong links",
        text: "Too many were tried from your network address. Try again in a moment.",
        again: true,
    },

    console_unreachable: {
        course: "retry",
        title: "The console cannot be reached",
        text: "The machine may be off or still starting.",
    },
    console_silent: {
        course: "retry",
        title: "The console does not answer",
        text: "The machine may still be starting, or another viewer holds its console.",
    },
    tokens_unreachable: {
        course: "retry",
        title: "The console service is busy",
        text: "Your link cannot be checked right now.",
    },
    at_capacity: {
        course: "retry",
        title: "The console service is full",
        text: "Too many consoles are open right now.",
    },
    draining: {
        course: "retry",
        title: "The console service is restarting",
        text: "The console comes back by itself in a moment.",
    },
    console_closed: {
        course: "retry",
        title: "The console closed the connection",
        text: "The machine may be shutting down or restarting.",
    },
    console_lost: {
        course: "retry",
        title: "The console was lost",
        text: "The machine may be restarting or moving to another host.",
    },
    viewer_lost: {
        course: "retry",
        title: "The connection was lost",
        text: "The proxy no longer heard from this browser.",
    },
    half_closed: {
        course: "retry",
        title: "The console closed the connection",
        text: "The machine stopped listening.",
    },

    viewer_closed: {
        course: "disconnected",
        title: "Disconnected",
        text: "The console keeps running without you.",
        again: true,
    },
    ended_by_operator: {
        course: "ended",
        title: "Session ended",
        text: "An operator ended this session.",
        again: true,
    },
    unparseable: {
        course: "ended",
        title: "Session ended",
        text: "This browser sent something that a restricted session cannot let through.",
        again: true,
    },

    session_expired: {
        course: "ended",
        title: "Session ended",
        text: "Its link has expired. Ask for a new one.",
    },
    session_too_long: {
        course: "ended",
        title: "Session ended",
        text: "It has lasted as long as a session may. Open the console anew.",
        again: true,
    },
    session_idle: {
        course: "ended",
        title: "Session ended",
        text: "Nothing was typed or pointed at for a long time. Open the console anew.",
        again: true,
    },
    taken_over: {
        course: "ended",
        title: "Somebody else took over",
        text: "The console was opened elsewhere. To take it back, connect again.",
        again: true,
    },
    console_unparseable: {
        course: "ended",
        title: "Session ended",
        text: "The machine sent something that a restricted session cannot let through.",
        again: true,
    },
    revoked: {
        course: "ended",
        title: "Session ended",
        text: "Its link was withdrawn.",
    },

    not_started: {
        course: "disconnected",
        title: "Ready to connect",
        text: "The console opens when you press the button.",
        again: true,
    },
    network_lost: {
        course: "retry",
        title: "The connection was lost",
        text: "Check your network. The machine itself is not affected.",
    },
    proxy_unreachable: {
        course: "retry",
        title: "The console service cannot be reached",
        text: "Check your network. If other pages work, the service may be down, or it refuses this link.",
        again: true,
    },
    viewer_failed: {
        course: "retry",
        title: "The picture broke",
        text: "This browser could not make sense of what the console sent.",
    },
    credentials_required: {
        course: "refused",
        title: "The console asks for a password",
        text: "The proxy should have given it. Tell whoever runs it.",
        again: true,
    },
    browser_unsupported: {
        course: "refused",
        title: "This browser cannot show the console",
        text: "Use a current version of Firefox, Chrome, Edge or Safari.",
    },
    refused: {
        course: "refused",
        title: "The connection was refused",
        text: "The console service did not say why.",
        again: true,
    },
};

/** What a token may be refused with when a session that was up is taken up again. @type {Telling} */
const cannotResume = {
    course: "refused",
    title: "This session cannot be resumed",
    text: "Its link cannot be used again. Ask for a new console link.",
};

const RESUME_WORDS = new Set(["token_expired", "token_used", "token_unknown"]);

/** Close codes that mean "do not come back" (RFC 6455 section 7.4.1). */
const FINAL_CODES = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

/**
 * The word for an ending, also for one that no proxy of ours has sent.
 *
 * @param {Ending} ending
 * @param {boolean} wasUp the connection had shown the console
 * @returns {string} a key of {@link tellings}
 */
export function wordFor({ code, reason, sentence }, wasUp) {
    if (Object.hasOwn(tellings, reason)) {
        return reason;
    }
    if (FINAL_CODES.has(code) || sentence !== "") {
        return "refused";
    }
    if (wasUp) {
        return code === 1000 ? "console_closed" : "network_lost";
    }
    return "proxy_unreachable";
}

/**
 * What to tell of a word.
 *
 * @param {string} word a key of {@link tellings}
 * @param {string} sentence the server's own, shown where we have nothing better
 * @param {boolean} everUp the console has been shown since the page was opened
 * @returns {Telling}
 */
export function tellingOf(word, sentence, everUp) {
    if (everUp && RESUME_WORDS.has(word)) {
        return cannotResume;
    }
    if (word === "refused" && sentence !== "") {
        return { ...tellings.refused, text: sentence };
    }
    return tellings[word];
}
