"""
API v1: the API keys themselves, for administrators.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

import attrs
from msgspec import Meta

from vncproxy.api.http import Answer, Call, Operation
from vncproxy.api.messages import CONSOLE_ID_PATTERN, Moment, Shape, moment
from vncproxy.errors import RequestError
from vncproxy.interfaces import IAuditTrail
from vncproxy.keys import KeyRing
from vncproxy.model import APIKey, AuditEntry, AuditEvent, Role
from vncproxy.rights import PATTERN, Right

_PATTERN: Final = f"^{PATTERN.pattern}$"


class KeyUnknown(RequestError):
    """
    No key has this name.
    """

    reason = "key_unknown"
    httpStatus = 404
    told = "There is no such API key. It may have been removed."


class KeyExists(RequestError):
    """
    There is a key of this name already.
    """

    reason = "key_exists"
    httpStatus = 409
    told = "There is an API key of this name already: choose another one, or remove that one first."


class KeyFixed(RequestError):
    """
    The key is not one of the store's.
    """

    reason = "key_fixed"
    httpStatus = 409
    told = "This key stands in a file in the proxy's state directory: change it there."


class PatternRefused(RequestError):
    """
    An administrator's key is to be bound to some consoles.
    """

    reason = "pattern_refused"
    httpStatus = 409
    told = "A key of the role admin sees every console, as it could make itself another key: it takes no pattern."


class KeyWish(Shape, frozen=True):
    """What an API key shall be."""

    name: Annotated[
        str,
        Meta(
            description="What it is called, in lists, in the audit trail and as the owner of what it mints.",
            pattern=CONSOLE_ID_PATTERN,
            examples=["customer-portal"],
        ),
    ]
    role: Annotated[Role, Meta(description="What it may do.")]
    consoles: (
        Annotated[
            str,
            Meta(
                description="Only consoles whose ids match exist for it: `*` stands for any characters, `?` for one. "
                "All consoles, where nothing is given. Not for the role admin.",
                pattern=_PATTERN,
                examples=["customer7-*"],
            ),
        ]
        | None
    ) = None


class KeyView(Shape, frozen=True):
    """An API key, without the key itself."""

    name: str
    role: Role
    consoles: Annotated[str | None, Meta(description="The pattern of the ids that it may see.")]
    source: Annotated[
        str,
        Meta(
            description="Where it is kept: in a file of the proxy's state directory, or through this API.",
            extra_json_schema={"enum": ["file", "api"]},
        ),
    ]
    created: Annotated[Moment | None, Meta(description="Not known of a file's.")]
    last_used: Annotated[Moment | None, Meta(description="To about a minute. Not known of a file's.")]

    @classmethod
    def of(cls, key: APIKey, source: str) -> KeyView:
        """
        The key as the API shows it.
        """
        return cls(
            name=key.name,
            role=key.role,
            consoles=key.consoles,
            source=source,
            created=moment(key.created) if source == "api" else None,
            last_used=None if key.lastUsed is None else moment(key.lastUsed),
        )


class KeyMade(Shape, frozen=True):
    """A new API key. This is the only time at which the key itself is known."""

    name: str
    role: Role
    consoles: str | None
    key: Annotated[str, Meta(description="The secret. Who has it, may do what the role may.")]

    def __repr__(self) -> str:
        """
        Without the secret.
        """
        return f"KeyMade(name={self.name!r}, role={self.role!r}, consoles={self.consoles!r})"


class KeyList(Shape, frozen=True):
    """All API keys, ordered by name behind those of files."""

    keys: tuple[KeyView, ...]


@attrs.frozen
class Keys:
    """
    The operations.

    @ivar ring: holds the keys.
    @ivar trail: hears of every change.
    """

    ring: KeyRing
    trail: IAuditTrail

    async def addKey(self, call: Call[KeyWish]) -> Answer:
        """
        Make a key.
        """
        wish = call.body
        if wish.role is Role.ADMIN and wish.consoles is not None:
            raise PatternRefused()
        made = await self.ring.add(wish.name, wish.role, wish.consoles)
        if made is None:
            raise KeyExists()
        key, secret = made
        self._note(call, AuditEvent.KEY_ADDED, key.name)
        return Answer(201, KeyMade(name=key.name, role=key.role, consoles=key.consoles, key=secret))

    async def listKeys(self, call: Call[None]) -> Answer:
        """
        Show all keys.
        """
        keys = await self.ring.keys()
        views = [KeyView.of(key, "file" if self.ring.owns(key.name) else "api") for key in keys]
        return Answer(200, KeyList(keys=tuple(views)))

    async def removeKey(self, call: Call[None]) -> Answer:
        """
        Remove a key.
        """
        name = call.parameters["key"]
        if self.ring.owns(name):
            raise KeyFixed()
        if not await self.ring.remove(name):
            raise KeyUnknown()
        self._note(call, AuditEvent.KEY_REMOVED, name)
        return Answer(204)

    def operations(self) -> tuple[Operation, ...]:
        """
        Their part of the table.
        """
        return (
            Operation(
                "GET",
                "/v1/keys",
                self.listKeys,
                "List all API keys",
                {200: ("All keys.", KeyList)},
                needs=Right.KEYS,
            ),
            Operation(
                "POST",
                "/v1/keys",
                self.addKey,
                "Make an API key",
                {201: ("The key.", KeyMade)},
                errors=(RequestError, KeyExists, PatternRefused),
                body=KeyWish,
                needs=Right.KEYS,
            ),
            Operation(
                "DELETE",
                "/v1/keys/{key}",
                self.removeKey,
                "Remove an API key",
                {204: ("It is good for nothing from now on.", None)},
                errors=(KeyUnknown, KeyFixed),
                needs=Right.KEYS,
                details="Tokens that it has minted stay: DELETE /v1/consoles/{console}/tokens revokes those of a "
                "console. Other proxies over the same store take the key for good for some seconds yet.",
            ),
        )

    def _note(self, call: Call[Any], event: AuditEvent, name: str) -> None:
        self.trail.note(AuditEntry(event, key=call.owner, client=call.client, subject=name))
