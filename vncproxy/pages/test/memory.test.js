import assert from "node:assert/strict";
import { test } from "node:test";

import { Memory } from "../src/memory.js";

/** As much of Storage as the memory uses. */
class Store {
    kept = new Map();

    getItem(name) {
        return this.kept.get(name) ?? null;
    }

    setItem(name, value) {
        this.kept.set(name, value);
    }
}

function history() {
    return {
        state: null,
        address: "",
        replaceState(state, _, address) {
            this.state = state;
            this.address = address;
        },
    };
}

const refuse = () => {
    throw new Error("storage is blocked");
};

const DEFAULTS = { scaling: "scale", quality: 6, showDot: false, syncClipboard: false, tucked: false };

test("a token is found again after a reload, and the address is clean", () => {
    const [tab, entry] = [new Store(), history()];
    new Memory(() => tab, refuse, entry).keepToken("/clean", "T");
    assert.equal(entry.address, "/clean");
    assert.equal(new Memory(() => tab, refuse, entry).token, "T");
});

test("two frames of one tab each find their own token", () => {
    const [tab, one, two] = [new Store(), history(), history()];
    new Memory(() => tab, refuse, one).keepToken("/", "ONE");
    new Memory(() => tab, refuse, two).keepToken("/", "TWO");
    assert.equal(new Memory(() => tab, refuse, one).token, "ONE");
});

test("somebody who retypes the address in the same tab gets its last token", () => {
    const tab = new Store();
    new Memory(() => tab, refuse, history()).keepToken("/", "T");
    assert.equal(new Memory(() => tab, refuse, history()).token, "T");
});

test("blocked storage loses no reload and fails nothing", () => {
    const entry = history();
    const memory = new Memory(refuse, refuse, entry);
    assert.equal(memory.token, "");
    memory.keepToken("/", "T");
    assert.equal(memory.token, "T");
    memory.choose({ quality: 1 });
    assert.deepEqual(memory.choices, DEFAULTS);
});

test("choices are kept one by one", () => {
    const browser = new Store();
    const memory = new Memory(refuse, () => browser, history());
    memory.choose({ scaling: "off" });
    memory.choose({ quality: 9, tucked: true });
    assert.deepEqual(memory.choices, { ...DEFAULTS, scaling: "off", quality: 9, tucked: true });
});

test("damaged choices are the defaults", () => {
    for (const damaged of ["{", "null", "7", '{"scaling":"huge","quality":99,"showDot":"yes","tucked":1}']) {
        const browser = new Store();
        browser.setItem("vncproxy.choices", damaged);
        assert.deepEqual(new Memory(refuse, () => browser, history()).choices, DEFAULTS, damaged);
    }
});
