"""
The connection of a store to its Redis, in good and in bad times.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs, formatEvent

from tests.redisworld import RedisCase
from vncproxy.config import StoreSection
from vncproxy.config.stores import RedisPlace
from vncproxy.errors import ConfigError, TokensUnreachable
from vncproxy.stores import redislink
from vncproxy.stores.redislink import RedisLink
from vncproxy.stores.rediswire import RedisWire


async def echo(wire: RedisWire, by: float) -> Any:
    """
    Something to ask.
    """
    return await wire.ask("ECHO", "here")


class LinkCase(RedisCase):
    """
    A link to a server of the test's own.
    """

    def makeLink(self, timeout: float = 0.5, place: RedisPlace | None = None, **settings: Any) -> RedisLink:
        """
        A link that waits for C{timeout} seconds, closed when the test ends.
        """
        section = StoreSection(timeout=timeout, **settings)
        link = RedisLink(self.reactor, place or self.place(), section)
        self.addCleanup(lambda: self.result(link.close()))
        return link

    def openLink(self, timeout: float = 0.5) -> RedisLink:
        """
        A link that is up.
        """
        link = self.makeLink(timeout)
        self.result(link.open())
        return link

    def untilBack(self, link: RedisLink, seconds: float = 2.0) -> None:
        """
        Wait until requests are answered again.
        """
        back = time.monotonic()
        while True:
            try:
                self.assertEqual(self.result(link.within(echo)), "here")
                return
            except TokensUnreachable:
                self.assertLess(time.monotonic() - back, seconds)
                self.pause(0.02)

    def pause(self, seconds: float) -> None:
        """
        Let some time pass.
        """
        self.reactor.runUntil(deferLater(self.reactor, seconds))


class OutageTests(LinkCase):
    """
    A Redis that is away for a while.
    """

    def test_recovers(self) -> None:
        """
        While Redis is away every request fails in the configured time, and at once when it has been away for longer;
        when it is back requests succeed again in less than 2 seconds. The operator is told of both, once.
        """
        with capturedLogs() as events:
            link = self.openLink()
            self.server.kill()
            for atMost in (1.5, 0.4, 0.4):
                asked = time.monotonic()
                self.assertRaises(TokensUnreachable, self.result, link.within(echo))
                self.assertLess(time.monotonic() - asked, atMost)
                self.pause(0.1)
            self.server.start()
            self.untilBack(link)
        told = [formatEvent(event) for event in events if event["log_namespace"] == "vncproxy.stores.redislink"]
        self.assertEqual(len(told), 2)
        self.assertIn("is out of reach", told[0])
        self.assertIn("is back after", told[1])

    def test_waitsForIt(self) -> None:
        """
        What is asked during an outage shorter than the timeout is answered after it.
        """
        link = self.openLink(timeout=5)
        self.server.kill()
        asked = Deferred.fromCoroutine(link.within(echo))
        self.pause(0.3)
        self.assertNoResult(asked)
        self.server.start()
        self.reactor.runUntil(asked)
        self.assertEqual(self.successResultOf(asked), "here")

    def test_lostUnderWay(self) -> None:
        """
        What was under way when the connection was lost is begun again on the next one.
        """
        link = self.openLink(timeout=5)
        wires = []

        async def work(wire: RedisWire, by: float) -> str:
            wires.append(wire)
            if len(wires) == 1:
                await wire.ask("BLPOP", "nothing", "0")
            return "done"

        asked = Deferred.fromCoroutine(link.within(work))
        self.pause(0.05)
        self.execute("CLIENT", "KILL", "TYPE", "normal")
        self.reactor.runUntil(asked)
        self.assertEqual(self.successResultOf(asked), "done")
        self.assertIsNot(wires[0], wires[1])

    def test_neverSentLater(self) -> None:
        """
        What ran out of time while there was no connection is not sent when there is one again.
        """
        link = self.openLink()
        self.server.kill()

        async def write(wire: RedisWire, by: float) -> None:
            await wire.ask("SET", "late", "1")

        self.assertRaises(TokensUnreachable, self.result, link.within(write))
        self.server.start()
        self.untilBack(link)
        self.assertEqual(self.execute("EXISTS", "late"), "0")

    def test_frozen(self) -> None:
        """
        A Redis that takes commands and answers nothing is told from one that is quick: requests fail in time, and a
        script that it gets to only then changes nothing.
        """
        link = self.openLink()
        self.server.signal(signal.SIGSTOP)

        async def write(wire: RedisWire, by: float) -> None:
            await wire.run(
                "local t = redis.call('TIME') if t[1] + t[2] / 1000000 > tonumber(ARGV[1]) then "
                "return redis.error_reply('LATE x') end redis.call('SET', 'late', 1)",
                [],
                [repr(by)],
            )

        asked = time.monotonic()
        error = self.assertRaises(TokensUnreachable, self.result, link.within(write))
        self.assertIn("does not answer", str(error))
        self.assertLess(time.monotonic() - asked, 1.5)
        self.server.signal(signal.SIGCONT)
        self.untilBack(link)
        self.assertEqual(self.execute("EXISTS", "late"), "0")

    def test_deadConnection(self) -> None:
        """
        A connection on which nothing is heard for a while is given up, though nobody has closed it.
        """
        link = self.openLink(timeout=6)
        self.server.signal(signal.SIGSTOP)
        self.addCleanup(self.server.kill)
        lost = self.result(link.within(_itself)).whenDisconnected()
        self.reactor.runUntil(lost, seconds=5)

    def test_clockMoved(self) -> None:
        """
        The clock of Redis is looked at anew if it says that something is late which is not.
        """
        link = self.openLink(timeout=5)
        times: list[float] = []

        async def work(wire: RedisWire, by: float) -> str:
            times.append(by)
            if len(times) == 1:
                await wire.run("return redis.error_reply('LATE x')", [], [])
            return "done"

        self.assertEqual(self.result(link.within(work)), "done")
        self.assertEqual(len(times), 2)
        self.assertLess(abs(times[0] - times[1]), 0.5)
        self.assertLess(abs(times[0] - time.time() - 5), 0.5)

    def test_bounded(self) -> None:
        """
        There is an end to how much may be waiting.
        """
        self.patch(redislink, "MOST_WAITING", 20)
        link = self.openLink(timeout=10)
        self.server.kill()
        asked = [Deferred.fromCoroutine(link.within(echo)) for _ in range(20)]
        error = self.assertRaises(TokensUnreachable, self.result, link.within(echo))
        self.assertIn("is behind", str(error))
        self.server.start()
        for each in asked:
            self.reactor.runUntil(each)
            self.assertEqual(self.successResultOf(each), "here")


async def _itself(wire: RedisWire, by: float) -> RedisWire:
    return wire


class Echo(Protocol):
    """
    Says what it hears.
    """

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(data)


class Loading(Protocol):
    """
    A Redis that has just begun.
    """

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"-LOADING Redis is loading the dataset in memory\r\n")


class OpeningTests(LinkCase):
    """
    What shows when a store is opened.
    """

    def assertRefused(self, link: RedisLink, *words: str) -> None:
        """
        Opening says that the configuration cannot work, and soon.
        """
        begun = time.monotonic()
        error = self.assertRaises(ConfigError, self.result, link.open())
        self.assertLess(time.monotonic() - begun, 2)
        for word in words:
            self.assertIn(word, str(error))
        self.assertNotIn("hunter2", str(error))

    def test_nobodyThere(self) -> None:
        """
        Where there is no Redis, opening says so after the configured time.
        """
        self.server.kill()
        error = self.assertRaises(TokensUnreachable, self.result, self.makeLink().open())
        self.assertIn("cannot be connected to", str(error))

    def test_twice(self) -> None:
        """
        Opening what is open does nothing.
        """
        link = self.openLink()
        self.result(link.open())
        self.assertEqual(self.execute("CLIENT", "LIST", "TYPE", "normal").count("name="), 2)

    def test_password(self) -> None:
        """
        The password is that of the URL or of its file; a wrong one ends the start, in words that hold none.
        """
        self.execute("CONFIG", "SET", "requirepass", "hunter2 é")
        path = self.server.directory / "password"
        path.write_text("hunter2 é\nand more\n")
        self.result(self.makeLink(place=self.place(password="hunter2 é")).open())
        self.result(self.makeLink(password_file=os.fspath(path)).open())
        self.assertRefused(self.makeLink(place=self.place(password="hunter2")), "WRONGPASS")
        self.assertRefused(self.makeLink(), "NOAUTH")
        path.write_text("\n")
        self.assertRefused(self.makeLink(password_file=os.fspath(path)), "store.password_file", "holds no password")
        path.unlink()
        self.assertRefused(self.makeLink(password_file=os.fspath(path)), "store.password_file", "cannot be read")

    def test_user(self) -> None:
        """
        A user needs the rights that the documentation lists; one that is missing is named so.
        """
        self.execute("ACL", "SETUSER", "low", "on", ">hunter2", "+role", "+time")
        link = self.makeLink(place=self.place(user="low", password="hunter2"))
        self.result(link.open())
        error = self.assertRaises(TokensUnreachable, self.result, link.within(echo))
        self.assertIn("NOPERM", str(error))
        self.execute("ACL", "SETUSER", "low", "-role")
        self.assertRefused(self.makeLink(place=self.place(user="low", password="hunter2")), "NOPERM")

    def test_untrusted(self) -> None:
        """
        A server that does not speak TLS as it should, and files of TLS that are not there, end the start.
        """
        port = self.reactor.listenTCP(0, Factory.forProtocol(Echo), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        place = RedisPlace((("127.0.0.1", port.getHost().port),), tls=True)
        self.assertRefused(self.makeLink(place=place), "TLS")
        self.assertRefused(self.makeLink(place=place, ca_certs="/nowhere"), "store.ca_certs", "cannot be read")

    def test_loading(self) -> None:
        """
        A Redis that still loads its data is waited for.
        """
        port = self.reactor.listenTCP(0, Factory.forProtocol(Loading), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        place = RedisPlace((("127.0.0.1", port.getHost().port),))
        error = self.assertRaises(TokensUnreachable, self.result, self.makeLink(place=place).open())
        self.assertIn("LOADING", str(error))

    def test_database(self) -> None:
        """
        The database is the one of the URL; one that there is not ends the start.
        """
        link = self.makeLink(place=self.place(database=3))
        self.result(link.open())
        self.assertIn("db=3", self.execute("CLIENT", "LIST", "TYPE", "normal"))
        self.assertRefused(self.makeLink(place=self.place(database=99)), "ERR")

    def test_replica(self) -> None:
        """
        A replica does not do, until it is the master.
        """
        self.execute("REPLICAOF", "127.0.0.1", "1")
        link = self.makeLink(timeout=1)
        error = self.assertRaises(TokensUnreachable, self.result, link.open())
        self.assertIn("is a replica", str(error))
        self.execute("REPLICAOF", "NO", "ONE")
        self.untilBack(link)
        self.result(link.open())

    def test_demoted(self) -> None:
        """
        A master that becomes a replica is dropped; what was under way waits for the next master.
        """
        link = self.openLink(timeout=5)
        self.execute("REPLICAOF", "127.0.0.1", "1")

        async def write(wire: RedisWire, by: float) -> Any:
            return await wire.ask("SET", "a", "1")

        asked = Deferred.fromCoroutine(link.within(write))
        self.pause(0.2)
        self.assertNoResult(asked)
        self.execute("REPLICAOF", "NO", "ONE")
        self.reactor.runUntil(asked)
        self.assertEqual(self.successResultOf(asked), "OK")


class ClosingTests(LinkCase):
    """
    The end of a link.
    """

    def test_waits(self) -> None:
        """
        Closing waits for what is under way, takes nothing new, and leaves no connection and no timer behind.
        """
        link = self.openLink(timeout=5)
        asked = Deferred.fromCoroutine(link.within(echo))
        closing = Deferred.fromCoroutine(link.close())
        self.assertRaises(TokensUnreachable, self.result, link.within(echo))
        self.reactor.runUntil(closing)
        self.assertEqual(self.successResultOf(asked), "here")
        self.assertEqual(self.execute("CLIENT", "LIST", "TYPE", "normal").count("name="), 1)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertRaises(TokensUnreachable, self.result, link.open())

    def test_whileAway(self) -> None:
        """
        A link whose Redis is away ends too, without a word.
        """
        link = self.openLink()
        self.server.kill()
        self.pause(0.2)
        with capturedLogs() as events:
            self.result(link.close())
        self.assertEqual([event for event in events if event["log_level"] is not LogLevel.debug], [])
        self.pause(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_frozen(self) -> None:
        """
        A Redis that does not take what it was told is left after a while.
        """
        link = self.openLink()
        self.server.signal(signal.SIGSTOP)
        self.addCleanup(self.server.kill)

        async def stuff(wire: RedisWire, by: float) -> Any:
            return await wire.ask("ECHO", b"x" * 8_000_000)

        self.assertRaises(TokensUnreachable, self.result, link.within(stuff))
        begun = time.monotonic()
        self.result(link.close())
        self.assertLess(time.monotonic() - begun, 4)
        self.pause(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_whileConnecting(self) -> None:
        """
        A link that is about to log in, where nobody answers, ends at once.
        """
        self.server.signal(signal.SIGSTOP)
        self.addCleanup(self.server.kill)
        link = self.makeLink(timeout=2.3)
        error = self.assertRaises(TokensUnreachable, self.result, link.open())
        self.assertIn("does not answer", str(error))
        begun = time.monotonic()
        self.result(link.close())
        self.assertLess(time.monotonic() - begun, 1)
        self.pause(0)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_neverOpened(self) -> None:
        """
        What was never opened can be closed.
        """
        self.result(self.makeLink().close())
