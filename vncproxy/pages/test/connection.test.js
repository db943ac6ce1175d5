import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";

import { Connection } from "../src/connection.js";
import { FakeClock } from "./clock.js";

/** A connection whose network is this test. */
class Bench {
    clock = new FakeClock();
    random = 1;
    opened = [];
    views = [];
    connection = new Connection({
        clock: this.clock,
        random: () => this.random,
        open: (report) => {
            const link = { report, closed: 0, close: () => (link.closed += 1) };
            this.opened.push(link);
            return link;
        },
        changed: (view) => this.views.push(view),
    });

    get link() {
        return this.opened.at(-1);
    }

    get view() {
        return this.connection.view;
    }

    end(code, reason = "", sentence = "") {
        this.link.report.closed({ code, reason, sentence });
    }

    up() {
        this.connection.connect();
        this.link.report.connected();
    }

    /** How long until the next attempt, in ms. */
    wait() {
        return this.view.retryAt - this.clock.now();
    }
}

/** @type {Bench} */
let bench;

beforeEach(() => {
    bench = new Bench();
});

describe("a connection", () => {
    test("is connecting until the console is seen, then connected", () => {
        bench.connection.connect();
        assert.equal(bench.view.state, "connecting");
        bench.link.report.connected();
        assert.deepEqual(
            bench.views.map(({ state }) => state),
            ["connecting", "connected"],
        );
        assert.equal(bench.view.reason, "");
        assert.equal(bench.clock.waiting, 0);
    });

    test("that shows nothing for too long is hung up and tried again", () => {
        bench.connection.connect();
        bench.clock.advance(30_000);
        assert.equal(bench.opened[0].closed, 1);
        assert.equal(bench.view.state, "reconnecting");
        assert.equal(bench.view.reason, "proxy_unreachable");
    });

    test("hears nothing more of an attempt that it has given up", () => {
        bench.up();
        const [old] = bench.opened;
        bench.end(1006);
        bench.clock.advance(500);
        old.report.connected();
        old.report.closed({ code: 1008, reason: "token_used", sentence: "" });
        assert.equal(bench.view.state, "reconnecting");
        assert.equal(bench.opened.length, 2);
    });
});

describe("endings", () => {
    const retried = [
        ["console_closed", 1000],
        ["console_lost", 1011],
        ["viewer_lost", 1000],
        ["half_closed", 1000],
        ["draining", 1001],
        ["tokens_unreachable", 1013],
        ["at_capacity", 1013],
        ["console_unreachable", 1011],
        ["console_silent", 1011],
    ];
    for (const [word, code] of retried) {
        test(`${word} is followed by another try`, () => {
            bench.up();
            bench.end(code, word);
            assert.equal(bench.view.state, "reconnecting");
            assert.equal(bench.view.reason, word);
            bench.clock.advance(500);
            assert.equal(bench.opened.length, 2);
            bench.link.report.connected();
            assert.equal(bench.view.state, "connected");
        });
    }

    const final = {
        refused: [
            "token_missing",
            "token_unknown",
            "token_expired",
            "token_used",
            "token_wrong_type",
            "token_wrong_address",
            "origin_refused",
            "console_unknown",
            "console_forbidden",
            "console_refused",
            "console_broken",
        ],
        ended: ["ended_by_operator", "unparseable"],
    };
    for (const [state, words] of Object.entries(final)) {
        for (const word of words) {
            test(`${word} is final`, () => {
                bench.connection.connect();
                bench.end(1008, word);
                assert.equal(bench.view.state, state);
                assert.equal(bench.view.reason, word);
                bench.clock.advance(3_600_000);
                bench.connection.retryNow();
                assert.equal(bench.opened.length, 1);
                assert.equal(bench.clock.waiting, 0);
            });
        }
    }

    test("the user's own disconnect hangs up and is final, and a connect begins anew", () => {
        bench.up();
        bench.connection.disconnect();
        assert.equal(bench.link.closed, 1);
        assert.equal(bench.view.state, "disconnected");
        bench.clock.advance(3_600_000);
        assert.equal(bench.opened.length, 1);
        bench.connection.connect();
        assert.equal(bench.view.state, "connecting");
    });

    test("a disconnect while waiting for the next try ends the waiting", () => {
        bench.up();
        bench.end(1006);
        bench.connection.disconnect();
        bench.clock.advance(60_000);
        assert.equal(bench.opened.length, 1);
        assert.equal(bench.view.state, "disconnected");
    });

    test("a resume that is refused says so and stops", () => {
        bench.up();
        bench.end(1011, "console_lost");
        bench.clock.advance(500);
        bench.end(1008, "token_used");
        assert.equal(bench.view.state, "refused");
        assert.match(bench.view.telling.title, /cannot be resumed/);
    });
});

describe("retries", () => {
    test("come twice as late each time, up to ten seconds", () => {
        bench.up();
        const waits = [];
        for (let count = 0; count < 8; count += 1) {
            bench.end(1006);
            waits.push(bench.wait());
            bench.clock.advance(bench.wait());
        }
        assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
    });

    test("are spread by up to a quarter", () => {
        bench.random = 0;
        bench.up();
        bench.end(1006);
        assert.equal(bench.wait(), 375);
    });

    test("begin early again only after a connection that lasted", () => {
        bench.up();
        bench.end(1011, "console_lost");
        bench.clock.advance(500);
        bench.link.report.connected();
        bench.clock.advance(9_000);
        bench.end(1011, "console_lost");
        assert.equal(bench.wait(), 1000);
        bench.clock.advance(1000);
        bench.link.report.connected();
        bench.clock.advance(10_000);
        bench.end(1011, "console_lost");
        assert.equal(bench.wait(), 500);
    });

    test("of an address that never answered stop after the third, and the user may try again", () => {
        bench.connection.connect();
        for (let count = 0; count < 3; count += 1) {
            assert.notEqual(bench.view.state, "refused");
            bench.end(1006);
            bench.clock.advance(bench.wait() > 0 ? bench.wait() : 0);
        }
        assert.equal(bench.view.state, "refused");
        assert.equal(bench.view.reason, "proxy_unreachable");
        assert.equal(bench.opened.length, 3);
        assert.equal(bench.view.telling.again, true);
        bench.connection.connect();
        bench.end(1006);
        assert.equal(bench.view.state, "reconnecting");
    });

    test("of an address that has answered never stop", () => {
        bench.connection.connect();
        bench.end(1011, "console_unreachable");
        for (let count = 0; count < 50; count += 1) {
            bench.clock.advance(bench.wait());
            bench.end(count % 2 === 0 ? 1006 : 1011, count % 2 === 0 ? "" : "console_unreachable");
            assert.equal(bench.view.state, "reconnecting");
        }
    });

    test("do not wait for a user who does not want to", () => {
        bench.up();
        bench.end(1006);
        bench.connection.retryNow();
        assert.equal(bench.opened.length, 2);
        assert.equal(bench.view.retryAt, null);
        bench.connection.retryNow();
        assert.equal(bench.opened.length, 2, "one at a time");
    });

    test("rest while the tab is hidden, and one comes at once when it is seen again", () => {
        bench.up();
        bench.end(1006);
        bench.connection.setVisible(false);
        assert.equal(bench.view.retryAt, null);
        bench.clock.advance(3_600_000);
        assert.equal(bench.opened.length, 1);
        bench.connection.setVisible(true);
        assert.equal(bench.opened.length, 2);
    });

    test("are not planned for a tab that is hidden already", () => {
        bench.up();
        bench.connection.setVisible(false);
        bench.end(1006);
        assert.equal(bench.view.state, "reconnecting");
        assert.equal(bench.clock.waiting, 0);
        bench.connection.setVisible(true);
        assert.equal(bench.opened.length, 2);
    });

    test("do not touch a connection that is up", () => {
        bench.up();
        bench.connection.retryNow();
        bench.connection.setVisible(false);
        bench.connection.setVisible(true);
        assert.equal(bench.opened.length, 1);
        assert.equal(bench.view.state, "connected");
    });
});
