"""
What the shapes of L{vncproxy.api.messages} promise to clients.
"""

from __future__ import annotations

import re

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.api.messages import TARGET_SCHEMA, Access, ConsoleDefinition, ConsoleView, moment
from vncproxy.model import Console, ConsoleType, Target, TargetKind
from vncproxy.targets import parseTarget

_PATTERNS = _TCP, _UNIX, _RAW, _RAW_UNIX = tuple(each["pattern"] for each in TARGET_SCHEMA["anyOf"])


class TargetSchemaTests(SynchronousTestCase):
    @given(
        st.from_regex(_TCP, fullmatch=True, alphabet=st.characters(codec="ascii")).filter(lambda url: len(url) <= 259)
    )
    def test_tcp(self, url: str) -> None:
        """
        Every URL of the schema is one that is understood.
        """
        self.assertIs(parseTarget(url).kind, TargetKind.VNC)

    @given(
        st.from_regex(_UNIX, fullmatch=True, alphabet=st.characters(codec="ascii")).filter(lambda url: len(url) <= 118)
    )
    def test_unix(self, url: str) -> None:
        """
        Every path of the schema is one that is understood.
        """
        self.assertIs(parseTarget(url).kind, TargetKind.VNC_UNIX)

    @given(
        st.from_regex(_RAW, fullmatch=True, alphabet=st.characters(codec="ascii")).filter(lambda url: len(url) <= 259)
        | st.from_regex(_RAW_UNIX, fullmatch=True, alphabet=st.characters(codec="ascii")).filter(
            lambda url: len(url) <= 114
        )
    )
    def test_raw(self, url: str) -> None:
        """
        Every raw target of the schema is one that is understood.
        """
        self.assertTrue(parseTarget(url).kind.raw)

    def test_usual(self) -> None:
        """
        What people write fits the schema.
        """
        for url in (
            "vnc://10.0.0.5:5901",
            "vnc://10.0.0.5",
            "vnc://localhost:65535",
            "vnc://node-7.rack_2.example.com:5900",
            "vnc://9front.example",
            "vnc://[2001:db8::5]:5900",
            "vnc://[::1]",
            "vnc://[fe80:0:0:0:1:2:3:4]",
            "vnc+unix:///run/vm.sock",
            "vnc+unix:///run/a%20b/vm.sock",
            "tcp://10.0.0.5:4555",
            "unix:///run/serial.sock",
        ):
            self.assertTrue(any(re.search(pattern, url) for pattern in _PATTERNS), url)
            parseTarget(url)

    def test_wrong(self) -> None:
        """
        What is not understood does not fit the schema.
        """
        for url in (
            "vnc://10.0.0.256",
            "vnc://127.1",
            "vnc://h:0",
            "vnc://h:65536",
            "vnc://user@h",
            "vnc://h/path",
            "vnc+unix://run/vm.sock",
            "http://h",
            "tcp://h",
        ):
            self.assertFalse(any(re.search(pattern, url) for pattern in _PATTERNS), url)


class SecretsTests(SynchronousTestCase):
    def test_definition(self) -> None:
        """
        The password of a definition does not stand in its repr.
        """
        self.assertNotIn("hunter2", repr(ConsoleDefinition(url="vnc://h", password="hunter2")))

    def test_access(self) -> None:
        """
        Neither token nor URL of an access stands in its repr.
        """
        access = Access(type=ConsoleType.NOVNC, url="http://h/?token=hunter2", token="hunter2", expires=moment(0))
        self.assertNotIn("hunter2", repr(access))

    def test_view(self) -> None:
        """
        A view of a console tells that there is a password, and not which.
        """
        target = Target(TargetKind.VNC, host="h", port=5900, password="hunter2")
        view = ConsoleView.of(Console("a", "A", target), "api")
        self.assertTrue(view.has_password)
        self.assertNotIn(b"hunter2", msgspec.json.encode(view))


class MomentTests(SynchronousTestCase):
    def test_moment(self) -> None:
        """
        A moment is told in whole seconds, never later than it is, in UTC.
        """
        self.assertEqual(msgspec.json.encode(moment(1_795_187_669.999)), b'"2026-11-20T15:14:29Z"')
