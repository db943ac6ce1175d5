"""
What the methods of the token-check protocol take and give.
"""

from __future__ import annotations

import attrs
import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.consoleauth.params import (
    AuthorizeConsole,
    Checked,
    Redeemed,
    checked,
    checkedGrant,
    grantOf,
    redeemed,
    targetOf,
)
from vncproxy.errors import RequestError, TokensUnreachable
from vncproxy.model import Console, ConsoleType, Grant, Target, TargetKind

_TEXT = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)
_HASHES = st.integers(0, 2**256 - 1).map("{:064x}".format)
_TARGETS = st.builds(
    Target,
    kind=st.just(TargetKind.VNC),
    host=st.sampled_from(["10.0.0.5", "2001:db8::5", "vm7.example"]),
    port=st.integers(1, 65535),
    password=st.none() | _TEXT,
) | st.builds(Target, kind=st.sampled_from([TargetKind.VNC_UNIX, TargetKind.UNIX]), path=st.just("/run/vm 7.sock"))
_GRANTS = st.builds(
    Grant,
    tokenHash=_HASHES,
    consoleID=_TEXT,
    consoleType=st.sampled_from(ConsoleType),
    expires=st.floats(0, 4e9),
    viewOnly=st.booleans(),
    resumeHash=st.none() | _HASHES,
    resumed=st.booleans(),
    owner=_TEXT,
)


class GrantTests(SynchronousTestCase):
    """
    Grants, told and understood.
    """

    @given(_GRANTS, _TARGETS, _TEXT)
    def test_roundTrip(self, grant: Grant, target: Target, name: str) -> None:
        """
        A proxy that may know the credentials has the grant as the controller has it, its console included.
        """
        console = Console(grant.consoleID, name, target)
        told = msgspec.json.decode(msgspec.json.encode(redeemed(grant, console, credentials=True)), type=Redeemed)
        self.assertEqual(grantOf(told), attrs.evolve(grant, console=console))

    def test_credentials(self) -> None:
        """
        They are told to who asks for them only, and nothing shows them.
        """
        grant = Grant("a" * 64, "vm7", ConsoleType.NOVNC, 5.0)
        console = Console("vm7", "Seven", Target(TargetKind.VNC, "10.0.0.5", 5901, password="hush"))
        full, plain = redeemed(grant, console, True), redeemed(grant, console, False)
        self.assertEqual((full.password, plain.password), ("hush", None))
        self.assertNotIn("hush", repr(full))
        self.assertEqual(msgspec.json.encode(checked(grant, console)).count(b"hush"), 0)

    def test_checked(self) -> None:
        """
        Where a console is stands there in nova's words, and as a target URL.
        """
        grant = Grant("a" * 64, "vm7", ConsoleType.XVPVNC, 5.0, viewOnly=True, owner="dashboard")
        for target, host, port, url in (
            (Target(TargetKind.VNC, "10.0.0.5", 5901), "10.0.0.5", 5901, "vnc://10.0.0.5:5901"),
            (Target(TargetKind.TCP, "::1", 1), "::1", 1, "tcp://[::1]:1"),
            (Target(TargetKind.VNC_UNIX, path="/run/x"), None, None, "vnc+unix:///run/x"),
        ):
            self.assertEqual(
                checked(grant, Console("vm7", "Seven", target)),
                Checked(
                    console_type=ConsoleType.XVPVNC,
                    instance_uuid="vm7",
                    name="Seven",
                    host=host,
                    port=port,
                    internal_access_path=None,
                    target=url,
                    expires=5.0,
                    view_only=True,
                    owner="dashboard",
                ),
            )
        told = checked(grant, Console("vm7", "Seven", target))
        self.assertEqual(checkedGrant(told, "a" * 64), grant)

    def test_unknownTarget(self) -> None:
        """
        A controller may know kinds of targets that its proxy does not: no console is to be had then.
        """
        grant = Grant("a" * 64, "vm7", ConsoleType.NOVNC, 5.0)
        told = redeemed(grant, Console("vm7", "Seven", Target(TargetKind.VNC, "h", 1)), False)
        self.assertRaises(TokensUnreachable, grantOf, msgspec.structs.replace(told, target="smoke://h"))


class ParamsTests(SynchronousTestCase):
    """
    Parameters.
    """

    def test_bounds(self) -> None:
        """
        What no console or token can be is refused at once.
        """
        sound = {"console_type": "novnc", "instance_uuid": "vm7"}
        msgspec.convert(sound, AuthorizeConsole)
        for wrong in (
            {"console_type": "spice"},
            {"instance_uuid": ""},
            {"instance_uuid": "a b"},
            {"token": "short"},
            {"token": "x" * 31 + "\n"},
            {"token": "x" * 129},
            {"port": 0},
            {"port": 65536},
            {"owner": ""},
            {"view_only": "yes"},
        ):
            self.assertRaises(msgspec.ValidationError, msgspec.convert, {**sound, **wrong}, AuthorizeConsole)

    def test_target(self) -> None:
        """
        A host is a name or an address, with nothing around it.
        """
        self.assertEqual(targetOf("2001:db8::5", 1), Target(TargetKind.VNC, "2001:db8::5", 1))
        self.assertEqual(targetOf("vm7.example", 1), Target(TargetKind.VNC, "vm7.example", 1))
        for host in ("", "a b", "h/x", "u@h", "h:1", "[::1]"):
            self.assertRaises(RequestError, targetOf, host, 1)
