"""
A whole API in memory, for the tests of the API and of its clients: the real store, token authority and directories,
and sessions that a test makes up.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import attrs
import msgspec
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.web.server import Site
from zope.interface import implementer

from tests.memoryhttp import Connection, Reply
from vncproxy.api import makeAPIResource
from vncproxy.api.http import Answer
from vncproxy.api.site import makeSite
from vncproxy.audit import AuditTrail
from vncproxy.config import ConsoleAuthSection
from vncproxy.directory import ChainedDirectory, StaticDirectory, StoredDirectory
from vncproxy.interfaces import ISessions
from vncproxy.keys import KeyRing, bootstrapKey
from vncproxy.model import (
    AuditEntry,
    AuditQuery,
    Console,
    ConsoleType,
    EndReason,
    Grant,
    Role,
    Session,
    Target,
    TargetKind,
    TokenRecord,
)
from vncproxy.stores.memory import MemoryStore
from vncproxy.tokens.authority import StoreAuthority

T = TypeVar("T")

#: The key that the API takes.
KEY = "sesame"

#: 2026-11-20T15:14:29Z, and a half.
NOW = 1_795_187_669.5

#: A console of the configuration file.
FIXED = Console("rack-1", "Rack one", Target(TargetKind.VNC, host="10.0.0.1", port=5900, password="hunter2"))


def makeSession(sessionID: str = "s1", consoleID: str = "vm-1", **facts: object) -> Session:
    """
    A session that is up.
    """
    plain = Session(
        id=sessionID,
        consoleID=consoleID,
        consoleName=f"Name of {consoleID}",
        frontend="web",
        client="203.0.113.9",
        proxy="proxy-1",
        tokenID="0123abcd",
        viewOnly=False,
        resumed=False,
        started=NOW - 90,
        bytesIn=999,
        bytesOut=1_500_000,
    )
    return attrs.evolve(plain, **facts)


@implementer(ISessions)
@attrs.define
class ListedSessions:
    """
    Sessions without relays, and which of them were ended why.
    """

    up: list[Session] = attrs.field(factory=list)
    ended: list[tuple[str, EndReason]] = attrs.field(factory=list)

    def list(self) -> Sequence[Session]:
        """
        See L{ISessions.list}.
        """
        return tuple(self.up)

    def end(self, sessionID: str, reason: EndReason) -> bool:
        """
        See L{ISessions.end}.
        """
        before = len(self.up)
        self.up = [session for session in self.up if session.id != sessionID]
        if len(self.up) == before:
            return False
        self.ended.append((sessionID, reason))
        return True

    def revoke(self, consoleID: str) -> int:
        """
        See L{ISessions.revoke}.
        """
        gone = [session.id for session in self.up if session.consoleID == consoleID]
        return sum(self.end(sessionID, EndReason.REVOKED) for sessionID in gone)


class World:
    """
    The API and what stands behind it.
    """

    def __init__(self, clock: IReactorTime | None = None, **dialects: Any) -> None:
        """
        @param clock: the reactor where there is one; else the time stands still at L{NOW}.
        @param dialects: what else L{makeAPIResource} takes for further dialects.
        """
        self.clock = Clock() if clock is None else clock
        if isinstance(self.clock, Clock):
            self.clock.advance(NOW)
        self.store = MemoryStore()
        self.keys = KeyRing(self.store, self.clock, [bootstrapKey(KEY.encode())])
        self.trail = AuditTrail(self.store, self.clock, "proxy-1", 90)
        self.authority = StoreAuthority(self.store, self.clock, ConsoleAuthSection(), trail=self.trail)
        self.sessions = ListedSessions()
        self.problems: list[str] = []
        self.baseURLs: dict[ConsoleType, str | None] = {
            ConsoleType.NOVNC: "http://127.0.0.1:6080/vnc_auto.html",
            ConsoleType.XVPVNC: "http://127.0.0.1:6081/console",
        }
        resource = makeAPIResource(
            store=self.store,
            authority=self.authority,
            directory=ChainedDirectory([StaticDirectory([FIXED]), StoredDirectory(self.store)]),
            sessions=self.sessions,
            fixed=[FIXED],
            keys=self.keys,
            trail=self.trail,
            baseURL=self.baseURLs.__getitem__,
            problems=lambda: self.problems,
            clock=self.clock,
            **dialects,
        )
        self.site: Site = makeSite(resource, self.clock)

    def ask(self, method: str, path: str, body: object = None, key: str | None = KEY) -> Reply:
        """
        Send one request and return its reply, which must be there at once.

        @param body: made JSON unless L{None}.
        """
        connection = Connection(self.site)
        headers = {} if key is None else {"X-Auth-Token": key}
        connection.request(method, path, b"" if body is None else msgspec.json.encode(body), headers)
        return connection.reply()

    def addKey(self, role: Role, consoles: str | None = None, name: str = "other") -> str:
        """
        Another key, and its secret.
        """
        made = waitFor(self.keys.add(name, role, consoles))
        assert made is not None
        return made[1]

    def noted(self) -> list[AuditEntry]:
        """
        What the audit trail holds, the oldest first.
        """
        waitFor(self.trail.flush())
        return list(reversed(waitFor(self.store.audit(AuditQuery(1000)))))

    def checkToken(self, token: str) -> Grant | None:
        """
        What a token would redeem to.
        """
        return waitFor(self.authority.checkToken(token))

    def records(self) -> list[TokenRecord]:
        """
        What is kept of all tokens.
        """
        return list(self.store._tokens.values())

    @staticmethod
    def encode(answer: Answer) -> bytes:
        """
        The body of an answer.
        """
        return msgspec.json.encode(answer.body)


def waitFor(coroutine: Coroutine[object, object, T]) -> T:
    """
    The result of a coroutine that waits for nothing.
    """
    results: list[T] = []
    Deferred.fromCoroutine(coroutine).addCallback(results.append)
    return results[0]
