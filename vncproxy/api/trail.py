"""
API v1: the audit trail, read from its end.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import attrs
from msgspec import Meta

from vncproxy.api.http import Answer, Call, Operation
from vncproxy.api.messages import CONSOLE_ID_PATTERN, Moment, Shape
from vncproxy.audit import AuditTrail, describe
from vncproxy.errors import RequestError
from vncproxy.interfaces import IStore
from vncproxy.model import AuditEntry, AuditEvent, AuditQuery, ConsoleType
from vncproxy.rights import Right

_DEFAULT_LIMIT: Final = 100
_MOST_AT_ONCE: Final = 1000

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # in UTC, as all that is compared with it

#: RFC 3339 section 5.6.
_MOMENT: Final = re.compile(
    r"([0-9]{4})(-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-5][0-9]|60)(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)

_Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"}, examples=["2026-11-20T15:14:29Z"])]


class AuditWish(Shape, frozen=True):
    """Which entries are wanted."""

    since: Annotated[_Time | None, Meta(description="Nothing older (RFC 3339).")] = None
    until: Annotated[_Time | None, Meta(description="Only what is older (RFC 3339).")] = None
    console: Annotated[str, Meta(description="Of this console only, by its id.", pattern=CONSOLE_ID_PATTERN)] | None = (
        None
    )
    limit: Annotated[int, Meta(description="How many at most.", ge=1, le=_MOST_AT_ONCE)] = _DEFAULT_LIMIT
    cursor: (
        Annotated[
            str,
            Meta(
                description="What the answer before gave as `next`: what follows behind it.",
                pattern="^[0-9a-f]{16}-[0-9a-f]{1,32}$",
            ),
        ]
        | None
    ) = None


class AuditView(Shape, frozen=True, omit_defaults=True):
    """One thing that somebody did. What does not apply is left out."""

    id: str
    time: Moment
    event: Annotated[AuditEvent, Meta(description="What happened.")]
    proxy: Annotated[str, Meta(description="The proxy that tells it.")]
    key: Annotated[
        str,
        Meta(description="The name of the API key that did it, or that the viewer's token was minted with."),
    ] = ""
    client: Annotated[str, Meta(description="The address from which it was done.")] = ""
    console: Annotated[str, Meta(description="The console's id.")] = ""
    type: Annotated[ConsoleType | None, Meta(description="The kind of viewer.")] = None
    frontend: Annotated[str, Meta(description="What the viewer connected to.", examples=["web", "java"])] = ""
    session: Annotated[str, Meta(description="The session's id.")] = ""
    token: Annotated[str, Meta(description="The first 8 hexadecimal digits of the SHA-256 of the token.")] = ""
    subject: Annotated[str, Meta(description="The name of the API key that was added or removed.")] = ""
    reason: Annotated[str, Meta(description="The reason word of a refusal or an ending.")] = ""
    bytes_in: Annotated[int, Meta(description="From the viewer to the console.", ge=0)] | None = None
    bytes_out: Annotated[int, Meta(description="From the console to the viewer.", ge=0)] | None = None
    seconds: Annotated[float, Meta(description="How long the session was up.", ge=0)] | None = None

    @classmethod
    def of(cls, entry: AuditEntry) -> AuditView:
        """
        The entry as the API shows it.
        """
        parts: dict[str, Any] = {"proxy": "", **describe(entry)}
        return cls(**parts)


class AuditPage(Shape, frozen=True):
    """Some entries of the audit trail, the newest first."""

    entries: tuple[AuditView, ...]
    next: Annotated[
        str | None, Meta(description="As `cursor` it gives what is older than these; null where nothing is.")
    ]


@attrs.frozen
class Trail:
    """
    The operation.

    @ivar store: keeps the entries.
    @ivar trail: may have some yet that the store has not.
    """

    store: IStore
    trail: AuditTrail

    async def listAudit(self, call: Call[AuditWish]) -> Answer:
        """
        Show a page of the trail. A key that is bound to some consoles is shown what concerns these.
        """
        wish = call.body
        query = AuditQuery(
            limit=wish.limit + 1,
            since=None if wish.since is None else _secondsOf("since", wish.since),
            until=None if wish.until is None else _secondsOf("until", wish.until),
            before=wish.cursor or "",
            console=wish.console,
            consoles=None if call.key is None else call.key.consoles,
        )
        await self.trail.flush()
        found = await self.store.audit(query)
        shown = found[: wish.limit]
        more = shown[-1].id if len(found) > wish.limit else None
        return Answer(200, AuditPage(entries=tuple(map(AuditView.of, shown)), next=more))

    def operations(self) -> tuple[Operation, ...]:
        """
        Their part of the table.
        """
        return (
            Operation(
                "GET",
                "/v1/audit",
                self.listAudit,
                "Read the audit trail",
                {200: ("A page of it, the newest entries first.", AuditPage)},
                errors=(RequestError,),
                query=AuditWish,
                needs=Right.AUDIT,
                details="With the cursor of one page the next is asked for; what has come in meanwhile does not "
                "disturb that.",
            ),
        )


def _secondsOf(name: str, text: str) -> float:
    """
    A moment in seconds since the epoch.

    @raise RequestError: it is no moment as RFC 3339 writes it.
    """
    match = _MOMENT.fullmatch(text)
    fault = RequestError(f"{name}: must be a time such as 2026-11-20T15:14:29Z.")
    if match is None:
        raise fault
    year, date, time, second, fraction, zone = match.groups()
    try:
        # Year 0 is one to RFC 3339; four hundred years later the calendar is the same. So is second 60.
        early = 400 if year == "0000" else 0
        at = datetime.fromisoformat(f"{int(year) + early:04}{date}T{time}:00")
        seconds = (at - _EPOCH - timedelta(days=146097 if early else 0)).total_seconds()
    except ValueError:
        raise fault from None
    offset = 0 if zone in "Zz" else int(zone[1:3]) * 3600 + int(zone[4:]) * 60
    if offset >= 86400 or int(zone[4:] or 0 if zone not in "Zz" else 0) > 59:
        raise fault
    sign = -1 if zone.startswith("-") else 1
    return seconds + int(second) + float(fraction or 0) - sign * offset
