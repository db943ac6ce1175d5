import assert from "node:assert/strict";
import { test } from "node:test";

import { hasTokenCookie, readAddress, socketURL } from "../src/address.js";

const PAGE = "https://console.example.test/vnc_auto.html";

test("the token is found wherever a link may carry it, and the clean address never holds it", () => {
    const cases = {
        "?token=T": "",
        "?token=T&view_only=true": "?view_only=true",
        "?view_only=true&token=T#view": "?view_only=true#view",
        "#token=T": "",
        "#token=T&resize=off": "#resize=off",
        "?path=websockify%3Ftoken%3DT": "?path=websockify",
        "?path=%3Ftoken%3DT": "",
        "?path=websockify%3Fa%3D1%26token%3DT": "?path=websockify%3Fa%3D1",
        "#path=%3Ftoken%3DT": "",
        "?token=%20T%0A": "",
        "?token=T&token=second": "",
    };
    for (const [given, left] of Object.entries(cases)) {
        const { token, clean } = readAddress(PAGE + given);
        assert.equal(token, "T", given);
        assert.equal(clean, PAGE + left, given);
    }
});

test("a token of the query comes before one of the fragment, and both before one inside the path", () => {
    assert.equal(readAddress(`${PAGE}?path=%3Ftoken%3DC&token=A#token=B`).token, "A");
    assert.equal(readAddress(`${PAGE}?path=%3Ftoken%3DC#token=B`).token, "B");
    assert.ok(!readAddress(`${PAGE}?path=%3Ftoken%3DC&token=A#token=B`).clean.includes("token"));
});

test("an address without a token is left as it is", () => {
    const address = readAddress(`${PAGE}?a=1%202#somewhere`);
    assert.equal(address.token, "");
    assert.equal(address.clean, `${PAGE}?a=1%202#somewhere`);
});

test("the WebSocket is `websockify` beside the page, with the page's own scheme and host", () => {
    assert.equal(socketURL(`${PAGE}?x=1#y`, "T", ""), "wss://console.example.test/websockify?token=T");
    assert.equal(
        socketURL("http://h.test:6080/a/b/vnc_auto.html", "T", ""),
        "ws://h.test:6080/a/b/websockify?token=T",
    );
    assert.equal(
        socketURL("http://h.test/a/", "a+b&c=d", ""),
        "ws://h.test/a/websockify?token=a%2Bb%26c%3Dd",
    );
});

test("a token that a cookie brings is seen, and is not in the WebSocket's address", () => {
    assert.equal(socketURL(PAGE, "", ""), "wss://console.example.test/websockify");
    for (const cookies of ["token=T", "a=1; token=T; b=2"]) {
        assert.equal(hasTokenCookie(cookies), true, cookies);
    }
    for (const cookies of ["", "token=", "mytoken=T", "a=token=T", "a=1; xtoken=T"]) {
        assert.equal(hasTokenCookie(cookies), false, cookies);
    }
});

test("a path leads elsewhere on the same host only", () => {
    assert.equal(socketURL(PAGE, "T", "deep/ws?a=1"), "wss://console.example.test/deep/ws?a=1&token=T");
    assert.equal(socketURL(PAGE, "T", "/root#part"), "wss://console.example.test/root?token=T");
    assert.equal(
        socketURL(PAGE, "T", "wss://console.example.test/ws"),
        "wss://console.example.test/ws?token=T",
    );
    for (const foreign of [
        "//evil.test/ws",
        "https://evil.test/",
        "https://console.example.test:444/",
        "http://[",
    ]) {
        assert.equal(socketURL(PAGE, "T", foreign), "wss://console.example.test/websockify?token=T", foreign);
    }
});

test("noVNC's parameters are understood in the query and in the fragment", () => {
    const { options } = readAddress(
        `${PAGE}?view_only=1&resize=remote&quality=3&compression=9#autoconnect=false&show_dot=1&title=My%20Box`,
    );
    assert.deepEqual(options, {
        autoconnect: false,
        viewOnly: true,
        resize: "remote",
        quality: 3,
        compression: 9,
        showDot: true,
        name: "My Box",
    });
});

test("what makes no sense is as if it were not there", () => {
    const { options } = readAddress(
        `${PAGE}?view_only=perhaps&resize=big&quality=11&compression=-1&show_dot=`,
    );
    assert.deepEqual(options, {
        autoconnect: true,
        viewOnly: false,
        resize: null,
        quality: null,
        compression: null,
        showDot: null,
        name: "",
    });
});

test("a name from the address has a bounded length", () => {
    assert.equal(readAddress(`${PAGE}?name=${"x".repeat(5000)}`).options.name.length, 200);
});
