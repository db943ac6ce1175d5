"""
Proxies that share a Redis: what each knows of the others' tokens, and what happens when the Redis goes and comes.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from typing import Any

from twisted.internet.defer import Deferred

from tests.integration.peers import Program, Redis, VNCProxy, originForm, runVNCProxy, startRedis, startScripted, tell
from tests.integration.peers.proxy import Section
from tests.integration.peers.redis import startReplica, startSentinel
from tests.integration.test_service import ProxyCase, resumeCookie

_PASSWORD = "hunter2/ü"
_WRITTEN = "hunter2%2F%C3%BC"

_SPENDERS = """
import json, os, sys
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import deferLater
from vncproxy.config import StoreSection
from vncproxy.model import ConsoleType, ViewerFacts
from vncproxy.stores import makeStore
from vncproxy.tokens.rules import spend

url, tokenHash, name, begin = sys.argv[1:]
viewer = ViewerFacts("web", ConsoleType.NOVNC, "10.0.0.9", "T")
store = makeStore(StoreSection(url=url), reactor, name)

def redeem():
    return Deferred.fromCoroutine(store.amendToken(tokenHash, lambda record: spend(record, viewer, 0.0, None, name)))

async def main():
    await store.open()
    print("ready", flush=True)
    while not os.path.exists(begin):
        await deferLater(reactor, 0.001)
    outcomes = await DeferredList([redeem() for _ in range(25)], consumeErrors=True)
    print(json.dumps([True if done else type(each.value).__name__ for done, each in outcomes]), flush=True)
    await store.close()

def stop(failure):
    if failure is not None:
        failure.printTraceback()
    reactor.stop()

Deferred.fromCoroutine(main()).addBoth(stop)
reactor.run()
"""
"""
What a process does that redeems a token 25 times at once, when a file tells it to begin.
"""


class RedisCase(ProxyCase):
    """
    A console and a Redis.
    """

    async def proxy(self, name: str, redis: Redis, url: str = "", **config: Section) -> VNCProxy:
        """
        A proxy of this name over the Redis.
        """
        store = {"url": url or f"redis://127.0.0.1:{redis.port}", **dict(config.pop("store", {}))}  # type: ignore[arg-type]
        return await runVNCProxy(self.bench, {"store": store, "proxy": {"id": name}, **config})

    async def untilServed(self, proxy: VNCProxy, timeout: float) -> float:
        """
        Wait until a token can be minted and redeemed; how many seconds that took. The console is C{vm}.
        """
        begun = time.monotonic()

        async def served() -> bool:
            status, access = await proxy.call("POST", "/v1/consoles/vm/access", {"type": "xvpvnc"})
            if status != 201:
                return False
            answer = await tell(self.bench, proxy.port("java"), originForm(access["url"]), closeHalf=True)
            return answer.startswith(b"HTTP/1.1 200 ")

        await self.bench.untilAsync(served, "the store to be back", timeout)
        return time.monotonic() - begun


def at(proxy: VNCProxy, url: str) -> str:
    """
    An access URL of another proxy, at this one.
    """
    return f"{proxy.endpoints['web'][0]}/vnc_auto.html?{url.partition('?')[2]}"


class SharingTests(RedisCase):
    """
    Two proxies, one Redis.
    """

    async def test_sharing(self) -> None:
        """
        A console that is added at one proxy opens at the other; a token of one use opens it once, wherever; the browser
        that used it may come back to either; and the restart of one proxy ends the right to no session of the other.
        """
        redis = await startRedis(self.bench)
        one, two = await self.proxy("p1", redis), await self.proxy("p2", redis)
        await one.addConsole("vm", startScripted(self.bench).url, name="Shared")
        url = await one.accessURL("vm")
        socket, viewer = await self.open(at(two, url))
        self.assertEqual(viewer.name, "Shared")
        (session,) = await self.sessions(two)
        self.assertEqual((session["proxy"], await self.sessions(one)), ("p2", []))
        for proxy in (one, two):
            await self.assertRefused(at(proxy, url), 1008, "token_used")

        cookie = resumeCookie(two, socket)
        await one.restart(crash=True)
        (key,) = (await redis.command("KEYS", "vncproxy:token:*")).split()
        record = json.loads(await redis.command("GET", key))["record"]
        self.assertEqual([(each["proxy"], each["live"]) for each in record["resumes"]], [("p2", 1)])

        await viewer.close()
        await self.untilSessions(two, 0)
        again, _ = await self.open(at(one, url), cookie)
        self.assertTrue((await self.sessions(one))[0]["resumed"])
        await two.restart(crash=True)
        await self.open(at(two, url), cookie)
        self.assertFalse(again.over)

        self.assertEqual((await two.mustCall("DELETE", "/v1/consoles/vm/tokens"))["deleted"], 1)
        await self.assertRefused(at(one, url), 1008, "token_unknown", cookie)

    async def test_controller(self) -> None:
        """
        What a controller alone mints opens at every proxy that shares its Redis, and not once it was revoked there.
        """
        redis = await startRedis(self.bench)
        store = {"url": f"redis://127.0.0.1:{redis.port}"}
        web = {"novncproxy_base_url": "http://console.example/vnc_auto.html"}
        config = {"store": store, "web": web, "proxy": {"id": "controller"}}
        controller = await runVNCProxy(self.bench, config, plugin="consoleauth")
        one, two = await self.proxy("p1", redis), await self.proxy("p2", redis)
        await controller.addConsole("vm", startScripted(self.bench).url)
        url, other, revoked = [await controller.accessURL("vm") for _ in range(3)]
        for proxy, minted in ((one, url), (two, other)):
            await self.open(at(proxy, minted))
        await self.assertRefused(at(two, url), 1008, "token_used")
        await controller.mustCall("DELETE", "/v1/consoles/vm/tokens")
        await self.assertRefused(at(one, revoked), 1008, "token_unknown")

    async def test_oneOfFifty(self) -> None:
        """
        Of fifty who redeem a token of one use at the same time, in two processes, exactly one succeeds.
        """
        redis = await startRedis(self.bench)
        proxy = await self.proxy("p1", redis)
        await proxy.addConsole("vm", "vnc://127.0.0.1:1")
        await proxy.accessURL("vm")
        (key,) = (await redis.command("KEYS", "vncproxy:token:*")).split()
        begin = self.bench.path("begin")
        words = [f"redis://127.0.0.1:{redis.port}", key.rpartition(":")[2]]
        spenders: list[Program] = []
        for name in ("p3", "p4"):
            words[2:] = [name, str(begin)]
            spenders.append(await self.bench.run("spender", sys.executable, "-c", _SPENDERS, *words))
        for spender in spenders:
            await spender.says("(?m)^ready$")
        begin.touch()
        outcomes: list[Any] = []
        for spender in spenders:
            outcomes += json.loads((await spender.says(r"(?m)^\[.*\]$"))[0])
            self.assertEqual(await spender.ends(), 0)
        self.assertEqual((outcomes.count(True), outcomes.count("TokenUsed")), (1, 49))


class OutageTests(RedisCase):
    """
    A Redis that is not there, or not there all the time.
    """

    async def test_killed(self) -> None:
        """
        While the Redis is away every viewer is told so within the timeout, in its own way, and the proxy is not ready;
        sessions that are up go on. When it is back, so are we, in less than two seconds. The password stands in no log.
        """
        redis = await startRedis(self.bench, "--requirepass", _PASSWORD)
        url = f"redis://:{_WRITTEN}@127.0.0.1:{redis.port}"
        proxy = await self.proxy("p1", redis, url, store={"timeout": 1})
        proxy.secrets |= {_PASSWORD, _WRITTEN, "hunter2"}
        server = startScripted(self.bench)
        await proxy.addConsole("vm", server.url)
        access, java = await proxy.accessURL("vm"), await proxy.accessURL("vm", "xvpvnc")
        socket, _ = await self.open(await proxy.accessURL("vm"))
        self.assertEqual((await proxy.call("GET", "/readyz"))[0], 200)

        await redis.program.kill()
        begun = time.monotonic()
        await self.assertRefused(access, 1013, "tokens_unreachable")
        self.assertLess(time.monotonic() - begun, 2)
        begun = time.monotonic()
        answer = await tell(self.bench, proxy.port("java"), originForm(java))
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 "), answer)
        self.assertLess(time.monotonic() - begun, 2)
        status, told = await proxy.call("GET", "/readyz")
        self.assertEqual(status, 503)
        self.assertEqual(told, {"ready": False, "problems": ["The store does not answer."]})
        (before,) = await self.sessions(proxy)
        server.protocols[0].transport.write(b"\x02" * 10)

        async def passed() -> bool:
            (now,) = await self.sessions(proxy)
            return bool(now["bytes_out"] == before["bytes_out"] + 10)

        await self.bench.untilAsync(passed, "the session to go on")

        await redis.start()
        back = time.monotonic()

        async def ready() -> bool:
            return (await proxy.call("GET", "/readyz"))[0] == 200

        await self.bench.untilAsync(ready, "the proxy to be ready", 2)
        await proxy.addConsole("vm", server.url)
        took = await self.untilServed(proxy, 2)
        self.assertLess(time.monotonic() - back, 2)
        self.report(f"back {time.monotonic() - back:.2f} s after Redis was (of these {took:.2f} s for a session)")
        self.assertFalse(socket.over)

    async def test_frozen(self) -> None:
        """
        A Redis that is stopped, and answers nothing, is told as one that is gone; when it goes on, so do we, and a
        token that was shown meanwhile is not spent.
        """
        redis = await startRedis(self.bench)
        proxy = await self.proxy("p1", redis, store={"timeout": 1})
        await proxy.addConsole("vm", startScripted(self.bench).url)
        url = await proxy.accessURL("vm")
        redis.program.signal(signal.SIGSTOP)
        begun = time.monotonic()
        await self.assertRefused(url, 1013, "tokens_unreachable")
        self.assertLess(time.monotonic() - begun, 2)
        redis.program.signal(signal.SIGCONT)
        back = time.monotonic()
        await self.untilServed(proxy, 2)
        self.report(f"back {time.monotonic() - back:.2f} s after Redis went on")
        await self.open(url)

    async def test_failover(self) -> None:
        """
        When the master is killed, its Sentinels appoint another, and the proxy finds it by itself: what was written
        before is there.
        """
        master = await startRedis(self.bench, "--repl-diskless-sync-delay", "0")
        await startReplica(self.bench, master)
        port = await startSentinel(self.bench, master, "main")
        gone = f"127.0.0.1:{master.port}"
        proxy = await self.proxy("p1", master, f"redis+sentinel://{gone},127.0.0.1:{port}/main")
        await proxy.addConsole("vm", startScripted(self.bench).url)
        url = await proxy.accessURL("vm")
        await master.program.kill()
        took = await self.untilServed(proxy, 15)
        self.report(f"served again {took:.2f} s after the master was killed (1 s of it is the Sentinel's patience)")
        self.assertLess(took, 10)
        await self.open(url)

    async def test_wrongPassword(self) -> None:
        """
        A proxy that Redis does not let in does not start, and says why, without the password.
        """
        redis = await startRedis(self.bench, "--requirepass", _PASSWORD)
        starting = Deferred.fromCoroutine(self.proxy("p1", redis, f"redis://:hunter3@127.0.0.1:{redis.port}"))
        with self.assertRaises(AssertionError) as caught:
            await self.bench.within(20, starting, "the end of the start")
        self.assertIn("WRONGPASS", str(caught.exception))
        self.assertNotIn("hunter3", str(caught.exception))

    def report(self, line: str) -> None:
        """
        Keep a measured time beside the logs.
        """
        (self.bench.logs / "times.txt").write_text(line + "\n")
