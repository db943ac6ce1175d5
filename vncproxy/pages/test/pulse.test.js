import assert from "node:assert/strict";
import { test } from "node:test";

import { takePulse } from "../src/pulse.js";
import { FakeClock } from "./clock.js";

function bench() {
    const clock = new FakeClock();
    const channel = Object.assign(new EventTarget(), { sent: [] });
    channel.send = (bytes) => channel.sent.push([...bytes]);
    const state = { silent: 0 };
    const stop = takePulse(channel, clock, () => (state.silent += 1));
    return { clock, channel, state, stop };
}

test("one pixel is asked for, not incremental", () => {
    assert.deepEqual(bench().channel.sent, [[3, 0, 0, 0, 0, 0, 0, 1, 0, 1]]);
});

test("silence is told once, after five seconds", () => {
    const { clock, state } = bench();
    clock.advance(4999);
    assert.equal(state.silent, 0);
    clock.advance(60_000);
    assert.equal(state.silent, 1);
});

test("whatever arrives is a sign of life", () => {
    const { clock, channel, state } = bench();
    channel.dispatchEvent(new Event("message"));
    assert.equal(clock.waiting, 0);
    clock.advance(60_000);
    assert.equal(state.silent, 0);
});

test("a question that is forgotten stays without an answer", () => {
    const { clock, state, stop } = bench();
    stop();
    clock.advance(60_000);
    assert.equal(state.silent, 0);
});
