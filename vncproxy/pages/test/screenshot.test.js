import assert from "node:assert/strict";
import { test } from "node:test";

import { fileName } from "../src/screenshot.js";

const WHEN = new Date(2026, 0, 2, 3, 4, 5);

test("a screenshot is named after the console and the user's own time", () => {
    assert.equal(fileName("web01", WHEN), "web01_2026-01-02_03-04-05.png");
});

test("a name that could mislead a file system is made harmless", () => {
    const cases = {
        "../../etc/passwd": "etc-passwd",
        "QEMU (vm 1)": "QEMU-vm-1",
        "": "console",
        "...": "console",
        "Größe 中文": "Größe-中文",
    };
    for (const [name, safe] of Object.entries(cases)) {
        assert.equal(fileName(name, WHEN), `${safe}_2026-01-02_03-04-05.png`);
    }
    assert.ok(fileName("x".repeat(500), WHEN).length < 110);
});
