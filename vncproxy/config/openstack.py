"""
What C{[nova]} must say so that tokens of an OpenStack cloud can be looked at::

    either  auth_url, and who we are there:  username, password_file, project_name
                                       or:   application_credential_id, application_credential_secret_file
            (where its compute API is stands in its catalog: region_name, interface; or in endpoint_override)
    or      endpoint_override and token_file
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from vncproxy.config.problems import Fault

NOVA_PLUGIN: Final = "nova"
"""
The token plugin that asks it.
"""

_PASSWORD: Final = ("username", "password_file", "project_name")
_CREDENTIAL: Final = ("application_credential_id", "application_credential_secret_file")
_FIXED: Final = ("endpoint_override", "token_file")


def novaKeyFaults(keys: Mapping[str, Any]) -> Iterator[tuple[str, Fault]]:
    """
    What no key of C{[nova]} shows alone: pairs of a key, empty for the section, and what is wrong with it.
    """
    ways = [way for way in (_PASSWORD, _CREDENTIAL, ("token_file",)) if any(key in keys for key in way)]
    if len(ways) > 1:
        yield ways[1][0], Fault(f"there is {ways[0][0]} already", "Say in one way only who we are.")
    elif not ways:
        cure = f"Write {', '.join(_PASSWORD)}, or {' and '.join(_CREDENTIAL)}, or {' and '.join(_FIXED)}."
        yield "", Fault("it does not say who we are", cure)
    else:
        needed = _FIXED if "token_file" in keys else ("auth_url", *ways[0])
        for key in needed:
            if key not in keys:
                yield "", Fault(f'the key "{key}" is missing', f"Write it beside {ways[0][0]}.")
        if "token_file" in keys and "auth_url" in keys:
            yield "auth_url", Fault("there is a token already, so nobody logs in", "Leave one of the two out.")
