import assert from "node:assert/strict";
import { test } from "node:test";

import { tellingOf, tellings, wordFor } from "../src/reasons.js";

const ending = (code, reason = "", sentence = "") => ({ code, reason, sentence });

test("a known word is taken as it is, whatever the code", () => {
    for (const word of Object.keys(tellings)) {
        assert.equal(wordFor(ending(1000, word), true), word);
    }
});

test("words of the object prototype are not reasons", () => {
    assert.equal(wordFor(ending(1008, "constructor"), false), "refused");
});

test("an unknown ending is judged by its code, and by whether the console had been seen", () => {
    assert.equal(wordFor(ending(1006), true), "network_lost");
    assert.equal(wordFor(ending(1006), false), "proxy_unreachable");
    assert.equal(wordFor(ending(1000, "Target closed"), true), "console_closed");
    assert.equal(wordFor(ending(1000, "Target closed"), false), "proxy_unreachable");
    assert.equal(wordFor(ending(1008, "policy"), true), "refused");
    assert.equal(wordFor(ending(1005, "", "Too many security failures"), false), "refused");
});

test("the server's sentence is shown where we have no words of our own", () => {
    assert.equal(tellingOf("refused", "Go away.", false).text, "Go away.");
    assert.notEqual(tellingOf("token_used", "Go away.", false).text, "Go away.");
});

test("a token refused after the console was seen means that the session cannot be resumed", () => {
    for (const word of ["token_used", "token_expired", "token_unknown"]) {
        assert.match(tellingOf(word, "", true).title, /cannot be resumed/);
        assert.doesNotMatch(tellingOf(word, "", false).title, /resumed/);
    }
});

test("everything told is a title without a full stop and whole sentences", () => {
    for (const [word, { title, text }] of Object.entries(tellings)) {
        assert.match(title, /^[A-Z].*[^.]$/, word);
        assert.match(text, /^[A-Z].*\.$/, word);
    }
});
