"""
L{vncproxy.api.novashapes}.
"""

from __future__ import annotations

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from vncproxy.api import novashapes as shapes


class ShapeTests(SynchronousTestCase):
    def test_actions(self) -> None:
        """
        An action is known by the name that nova gave it.
        """
        request = msgspec.json.decode(b'{"os-getVNCConsole": {"type": "novnc"}}', type=shapes.ActionRequest)
        self.assertEqual(request, shapes.ActionRequest(vnc=shapes.ActionWish(type="novnc")))

    def test_secrets(self) -> None:
        """
        A URL with a token in it stands in no repr.
        """
        url = "http://h/?token=sesame"
        for console in (
            shapes.RemoteConsoleDocument(remote_console=shapes.RemoteConsole(protocol="vnc", type="novnc", url=url)),
            shapes.ActionDocument(console=shapes.ActionConsole(type="novnc", url=url)),
        ):
            self.assertNotIn("sesame", repr(console))
