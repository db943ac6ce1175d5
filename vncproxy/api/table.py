"""
The table of API v1: every operation, the right that it needs, and how it is described.
"""

from __future__ import annotations

from typing import Final

import msgspec
from twisted.web.server import Request

from vncproxy.api import messages as shapes
from vncproxy.api.http import Answer, Call, Dialect, Operation, keyOf, shownKeys
from vncproxy.api.keys import Keys
from vncproxy.api.openapi import Description, describe
from vncproxy.api.trail import Trail
from vncproxy.api.v1 import V1, ConsoleFixed, SessionUnknown, TypeNotServed, statusOf, tell
from vncproxy.errors import BackendError, ConsoleUnknown, RequestError
from vncproxy.model import APIKey
from vncproxy.rights import Right

API: Final = Description(
    title="vncproxy",
    version="1",
    text="Define consoles, make the URLs that open them, watch and end the sessions that are up.",
    errorShape=shapes.ErrorReply,
    statusOf=statusOf,
    parameters={
        "console": {
            "description": "The console's id, usually the uuid of its virtual machine.",
            "schema": {"type": "string", "pattern": shapes.CONSOLE_ID_PATTERN},
        },
        "session": {
            "description": "The session's id.",
            "schema": {"type": "string", "minLength": 1},
        },
        "key": {
            "description": "The key's name.",
            "schema": {"type": "string", "pattern": shapes.CONSOLE_ID_PATTERN},
        },
    },
)


def operations(v1: V1) -> tuple[Operation, ...]:
    """
    The table of API v1.
    """
    return (
        *_consoleOperations(v1),
        *_accessOperations(v1),
        *_sessionOperations(v1),
        *Keys(v1.keys, v1.trail).operations(),
        *Trail(v1.store, v1.trail).operations(),
        *_openOperations(v1),
    )


def _consoleOperations(v1: V1) -> tuple[Operation, ...]:
    one, view = "/v1/consoles/{console}", shapes.ConsoleView
    return (
        Operation(
            "GET",
            "/v1/consoles",
            v1.listConsoles,
            "List all consoles",
            {200: ("All consoles, ordered by id.", shapes.ConsoleList)},
            needs=Right.LOOK,
        ),
        Operation(
            "PUT",
            one,
            v1.putConsole,
            "Define a console",
            {200: ("It replaces what the id named before.", view), 201: ("It is new.", view)},
            errors=(RequestError, ConsoleFixed),
            body=shapes.ConsoleDefinition,
            needs=Right.DEFINE,
            details="Sessions that are up stay as they are; the next viewer is connected to the new target.",
        ),
        Operation(
            "GET",
            one,
            v1.getConsole,
            "Show a console",
            {200: ("The console.", view)},
            errors=(ConsoleUnknown,),
            needs=Right.LOOK,
        ),
        Operation(
            "DELETE",
            one,
            v1.deleteConsole,
            "Forget a console and its tokens",
            {204: ("It is forgotten.", None)},
            errors=(ConsoleUnknown, ConsoleFixed),
            needs=Right.DEFINE,
            details="Its sessions on this proxy end.",
        ),
    )


def _accessOperations(v1: V1) -> tuple[Operation, ...]:
    return (
        Operation(
            "POST",
            "/v1/consoles/{console}/access",
            v1.grantAccess,
            "Make a URL that opens a console",
            {201: ("The URL, and the token in it.", shapes.Access)},
            errors=(RequestError, ConsoleUnknown, BackendError, TypeNotServed),
            body=shapes.AccessWish,
            needs=Right.ISSUE,
        ),
        Operation(
            "DELETE",
            "/v1/consoles/{console}/tokens",
            v1.revokeTokens,
            "Revoke every token of a console",
            {200: ("How many there were.", shapes.Revoked)},
            errors=(ConsoleUnknown,),
            needs=Right.ISSUE,
            details="A console that is not known any more is no error: its tokens, if any are left, are revoked. "
            "Its sessions on this proxy end.",
        ),
    )


def _sessionOperations(v1: V1) -> tuple[Operation, ...]:
    one, view = "/v1/sessions/{session}", shapes.SessionView
    return (
        Operation(
            "GET",
            "/v1/sessions",
            v1.listSessions,
            "List the sessions that are up",
            {200: ("All sessions, oldest first.", shapes.SessionList)},
            needs=Right.WATCH,
        ),
        Operation(
            "GET",
            one,
            v1.getSession,
            "Show a session",
            {200: ("The session.", view)},
            errors=(SessionUnknown,),
            needs=Right.WATCH,
        ),
        Operation(
            "DELETE",
            one,
            v1.endSession,
            "End a session",
            {204: ("It is ended, and its viewer is told.", None)},
            errors=(SessionUnknown,),
            needs=Right.CONTROL,
        ),
    )


def _openOperations(v1: V1) -> tuple[Operation, ...]:
    ready = shapes.Readiness

    async def openAPI(call: Call[None]) -> Answer:
        return Answer(200, msgspec.json.encode(describe(operations(v1), API)))

    return (
        Operation(
            "GET",
            "/healthz",
            v1.health,
            "Whether the process is up",
            {200: ("It is.", shapes.Health)},
            needs=None,
        ),
        Operation(
            "GET",
            "/readyz",
            v1.readiness,
            "Whether viewers can be served",
            {200: ("They can.", ready), 503: ("They cannot, and why.", ready)},
            needs=None,
        ),
        Operation(
            "GET",
            "/v1/openapi.json",
            openAPI,
            "This document",
            {200: ("An OpenAPI 3.1 document.", None)},
            needs=None,
        ),
    )


def v1Dialect(v1: V1) -> Dialect:
    """
    API v1 for an L{APIResource<vncproxy.api.http.APIResource>}. It answers whatever is no other dialect's.
    """

    async def whose(request: Request) -> APIKey | None:
        return await keyOf(v1.keys, shownKeys(request))

    return Dialect(prefix="", operations=operations(v1), whose=whose, tell=tell)
