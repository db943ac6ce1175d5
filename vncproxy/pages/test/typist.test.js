import assert from "node:assert/strict";
import { test } from "node:test";

import { Typist } from "../src/typist.js";
import { FakeClock } from "./clock.js";

function bench() {
    const clock = new FakeClock();
    const typed = [];
    const typist = new Typist(({ keysym }, down) => down && typed.push(String.fromCharCode(keysym)), clock);
    return { clock, typed, typist };
}

test("a text is typed a stroke at a time, with progress, and told when it is complete", async () => {
    const { clock, typed, typist } = bench();
    const progress = [];
    const done = typist.type("abc", (count, total) => progress.push(`${count}/${total}`));
    assert.deepEqual(typed, ["a"]);
    assert.equal(typist.busy, true);
    clock.advance(23);
    assert.deepEqual(typed, ["a"]);
    clock.advance(1);
    assert.deepEqual(typed, ["a", "b"]);
    clock.advance(1000);
    assert.equal(await done, true);
    assert.deepEqual(typed, ["a", "b", "c"]);
    assert.deepEqual(progress, ["1/3", "2/3", "3/3"]);
    assert.equal(typist.busy, false);
    assert.equal(clock.waiting, 0);
});

test("a stroke with Shift, which makes twice the key events, takes twice the time", () => {
    const { clock, typed, typist } = bench();
    typist.type("Ab", () => {});
    clock.advance(47);
    assert.equal(typed.at(-1), "A");
    clock.advance(1);
    assert.equal(typed.at(-1), "b");
});

test("a cancelled text stops at once", async () => {
    const { clock, typed, typist } = bench();
    const done = typist.type("abc", () => {});
    typist.cancel();
    assert.equal(await done, false);
    clock.advance(1000);
    assert.deepEqual(typed, ["a"]);
    assert.equal(typist.busy, false);
});

test("a new text takes the place of the one that is being typed", async () => {
    const { clock, typed, typist } = bench();
    const first = typist.type("abc", () => {});
    const second = typist.type("x", () => {});
    clock.advance(1000);
    assert.equal(await first, false);
    assert.equal(await second, true);
    assert.deepEqual(typed, ["a", "x"]);
});

test("nothing to type is complete at once", async () => {
    const { typist } = bench();
    assert.equal(await typist.type("", () => {}), true);
    typist.cancel();
});
