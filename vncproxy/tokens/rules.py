"""
What a token is worth: pure rules over its record.

::

    mint ──► open ──spend──► spent ──spend──► … ──► used up or expired ──► dead
               ╰ a browser that shows a resume secret is bound: it may come back without spending a use

    a browser's right to come back:  bound (live 1) ──ended──► until now + window ──► stale
                                         ╰◄────────── resumed ──────────╯

Where several proxies share a store, each signs the sessions that it carries: when it starts again, it knows which of
those that are written down were its own. A browser may come back to any of them.

Time is in seconds since the epoch, hashes are SHA-256 in hexadecimal. Every rule takes a record and returns the next
one; none reads a clock, so a store may run one as often as it needs to, in any thread.
"""

from __future__ import annotations

from hmac import compare_digest
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

import attrs

from vncproxy.errors import TokenExpired, TokenUsed, TokenWrongAddress, TokenWrongType
from vncproxy.model import ConsoleType, Grant, Resume, TokenRecord, ViewerFacts

MOST_RESUMES: Final = 16
"""
How many browsers a token remembers. A browser beyond them is served, but may not resume.
"""


def spend(record: TokenRecord, facts: ViewerFacts, now: float, resumeHash: str | None, proxy: str = "") -> TokenRecord:
    """
    Redeem the token for one viewer: by the right to resume where its browser holds it, else for one use.

    @param resumeHash: of the browser's resume secret, or L{None} where the viewer cannot keep one.
    @param proxy: which proxy the viewer has come to, where several share the store.

    @raise TokenWrongType: it is for another kind of viewer.
    @raise TokenWrongAddress: it is pinned to another address.
    @raise TokenUsed: no use is left.
    @raise TokenExpired: its time is over.
    """
    if record.consoleType is not facts.consoleType:
        raise TokenWrongType(f"made for {record.consoleType.value}, shown to {facts.consoleType.value}")
    if record.clientAddress is not None and not sameAddress(record.clientAddress, facts.address):
        raise TokenWrongAddress(f"pinned to {record.clientAddress}, shown by {facts.address}")
    bound = _find(record, resumeHash)
    if any(_holds(each, now) for each in bound):
        return _rejoin(record, bound, proxy)
    if record.usesLeft == 0:
        raise TokenUsed("no use is left")
    if now >= record.expires:
        raise TokenExpired(f"over for {now - record.expires:.0f} s")
    usesLeft = None if record.usesLeft is None else record.usesLeft - 1
    return attrs.evolve(record, usesLeft=usesLeft, resumes=_bind(record.resumes, resumeHash, now, proxy))


def redeemable(record: TokenRecord, consoleType: ConsoleType | None, now: float) -> bool:
    """
    Whether the token still has a use for a viewer of this kind (L{None}: of any).
    """
    return consoleType in (None, record.consoleType) and record.usesLeft != 0 and now < record.expires


def granted(record: TokenRecord, resumeHash: str | None) -> Grant:
    """
    What a token has just been redeemed to, read off the record that L{spend} returned.

    A browser that was only bound counts one live session and never ended one, so its C{until} is still zero: every
    other picture means that it came back.
    """
    bound = _find(record, resumeHash)
    return Grant(
        tokenHash=record.hash,
        consoleID=record.consoleID,
        consoleType=record.consoleType,
        expires=record.expires,
        viewOnly=record.viewOnly,
        resumeHash=resumeHash if bound else None,
        resumed=sum(each.live for each in bound) > 1 or any(each.until != 0 for each in bound),
        owner=record.owner,
    )


def ended(record: TokenRecord, resumeHash: str, now: float, window: float, proxy: str = "") -> TokenRecord:
    """
    A session of this browser at C{proxy} has ended: after its last one it may come back for C{window} seconds. A window
    of zero ends the right at once.
    """
    bound = _find(record, resumeHash)
    if window <= 0 and bound:
        return attrs.evolve(record, resumes=tuple(each for each in record.resumes if each not in bound))
    own = _own(bound, proxy)
    if own is None:
        return record
    live = max(own.live - 1, 0)
    until = own.until if live else now + window
    return _replace(record, own, attrs.evolve(own, live=live, until=until))


def undone(record: TokenRecord, grant: Grant, now: float, window: float, proxy: str = "") -> TokenRecord:
    """
    The redemption that gave C{grant} reached nobody: its viewer had gone, or had been told to try again.

    A browser that was bound can come back by its right to resume, so its session counts as ended. Anyone else gets the
    use back: without a right to resume nobody can have come in on it meanwhile.
    """
    if grant.resumeHash is not None:
        return ended(record, grant.resumeHash, now, window, proxy)
    if record.usesLeft is None:
        return record
    return attrs.evolve(record, usesLeft=record.usesLeft + 1)


def abandoned(record: TokenRecord, until: float, proxy: str = "") -> TokenRecord:
    """
    No session at C{proxy} is up any more: every browser that had one there may come back until C{until}.
    """
    gone = [each for each in record.resumes if each.live and each.proxy == proxy]
    if not gone:
        return record
    resumes = (attrs.evolve(each, live=0, until=until) if each in gone else each for each in record.resumes)
    return attrs.evolve(record, resumes=tuple(resumes))


def dead(record: TokenRecord, now: float) -> bool:
    """
    Whether the record may be forgotten: its time is over and no browser may resume.

    A token that is used up is kept until its time is over, so that whoever shows it is told why it is refused.
    """
    return now >= record.expires and not any(_holds(each, now) for each in record.resumes)


def sameAddress(one: str, other: str) -> bool:
    """
    Whether two texts name the same client address. An IPv4 address mapped into IPv6 is the IPv4 address (RFC 4291
    section 2.5.5.2); what is no IP address is compared as it stands.
    """
    return _address(one) == _address(other)


def _address(text: str) -> IPv4Address | IPv6Address | str:
    try:
        address = ip_address(text)
    except ValueError:
        return text
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _holds(resume: Resume, now: float) -> bool:
    return resume.live > 0 or now <= resume.until


def _find(record: TokenRecord, resumeHash: str | None) -> tuple[Resume, ...]:
    """
    What a browser holds, one entry for each proxy that it has been at.
    """
    if resumeHash is None:
        return ()
    # All are compared, and each in constant time: how long it takes says nothing about what is stored.
    return tuple([each for each in record.resumes if compare_digest(each.hash, resumeHash)])


def _own(bound: tuple[Resume, ...], proxy: str) -> Resume | None:
    return next((each for each in bound if each.proxy == proxy), None)


def _rejoin(record: TokenRecord, bound: tuple[Resume, ...], proxy: str) -> TokenRecord:
    """
    One more session of a browser that holds the right: at the proxy where it was, or at another. Proxies that it has no
    session at any more are forgotten; when its right would have ended is not.
    """
    own = _own(bound, proxy)
    until = max(each.until for each in bound)
    joined = Resume(bound[0].hash, 1 if own is None else own.live + 1, until, proxy)
    others = [each for each in bound if each.live and each is not own]
    first = record.resumes.index(bound[0])
    rest = [each for each in record.resumes if each not in bound]
    return attrs.evolve(record, resumes=(*rest[:first], joined, *others, *rest[first:]))


def _replace(record: TokenRecord, old: Resume, new: Resume) -> TokenRecord:
    return attrs.evolve(record, resumes=tuple(new if each is old else each for each in record.resumes))


def _bind(resumes: tuple[Resume, ...], resumeHash: str | None, now: float, proxy: str) -> tuple[Resume, ...]:
    if resumeHash is None:
        return resumes
    held = [each for each in resumes if _holds(each, now)]
    if len(held) >= MOST_RESUMES:
        idle = next((each for each in held if not each.live), None)
        if idle is None:
            return tuple(held)
        held.remove(idle)
    return (*held, Resume(resumeHash, live=1, proxy=proxy))
