"""
Microversions: which minor version of nova's compute API a request speaks, and how its answer says so.

::

    client                                              server
    OpenStack-API-Version: compute 2.72          ──►
    X-OpenStack-Nova-API-Version: 2.72                  the older way; the newer header counts where both are there
                                                 ◄──    both headers, with the version that was used, and Vary

A request that names none speaks the oldest, as it was before there were microversions. C{latest} is the newest. Source:
the OpenStack API working group's guideline on microversions, and nova's own C{/v2.1}.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import attrs

from vncproxy.errors import RequestError

HEADER: Final = "OpenStack-API-Version"
OLD_HEADER: Final = "X-OpenStack-Nova-API-Version"

_SERVICE: Final = "compute"
# Numbers as nova takes them: no sign, no leading zero.
_VERSION: Final = re.compile(r"(?P<major>[1-9][0-9]{0,3})\.(?P<minor>0|[1-9][0-9]{0,3})", re.ASCII)


class VersionUnknown(RequestError):
    """
    The request speaks a version that is not served.
    """

    httpStatus = 406
    told = "That version of the API is not served."


@attrs.frozen(order=True)
class Microversion:
    """
    A version of the compute API, in their order.
    """

    major: int
    minor: int

    def __str__(self) -> str:
        """
        As headers have it.
        """
        return f"{self.major}.{self.minor}"


OLDEST: Final = Microversion(2, 1)
NEWEST: Final = Microversion(2, 99)


def requestedVersion(new: Sequence[str], old: Sequence[str]) -> Microversion:
    """
    The version that a request speaks.

    @param new: the values of L{HEADER}, each of which may speak of several services (C{"compute 2.72, volume 3.0"}).
    @param old: the values of L{OLD_HEADER}.

    @raise RequestError: what it names is no version.
    @raise VersionUnknown: it is a version that is not served.
    """
    text = _ofService(new)
    if text is None:
        text = old[-1].strip() if old else str(OLDEST)
    if text.lower() == "latest":
        return NEWEST
    match = _VERSION.fullmatch(text)
    if match is None:
        raise RequestError("The version of the API must be two numbers with a dot between them, or latest.")
    version = Microversion(int(match["major"]), int(match["minor"]))
    if not OLDEST <= version <= NEWEST:
        raise VersionUnknown(
            f"Version {version} is not supported by the API. Minimum is {OLDEST} and maximum is {NEWEST}."
        )
    return version


def versionHeaders(version: Microversion | None) -> dict[str, str]:
    """
    What an answer says of the version.

    @param version: L{None} where none could be agreed on.
    """
    headers = {"Vary": f"{HEADER}, {OLD_HEADER}"}
    if version is not None:
        headers |= {HEADER: f"{_SERVICE} {version}", OLD_HEADER: str(version)}
    return headers


def _ofService(values: Sequence[str]) -> str | None:
    """
    What is said of our service; the last word counts.
    """
    found = None
    for part in ",".join(values).split(","):
        service, _, version = part.strip().partition(" ")
        if service.lower() == _SERVICE:
            found = version.strip()
    return found
