"""
The API keys of API v1, through real HTTP in memory.
"""

from __future__ import annotations

from tests.test_api_v1 import V1TestCase
from vncproxy.api.keys import KeyMade
from vncproxy.keys import PREFIX
from vncproxy.model import Role


class KeysTests(V1TestCase):
    """
    Keys are made, listed and removed.
    """

    def test_made(self) -> None:
        """
        A key is shown once, is good at once, and is listed without itself ever after.
        """
        made = self.ask("POST", "/v1/keys", {"name": "portal", "role": "issuer", "consoles": "vm-*"}, 201)
        secret = made.pop("key")
        self.assertEqual(made, {"name": "portal", "role": "issuer", "consoles": "vm-*"})
        self.assertTrue(secret.startswith(PREFIX))
        self.assertEqual(self.world.ask("GET", "/v1/consoles", key=secret).json, {"consoles": []})
        reply = self.world.ask("GET", "/v1/keys")
        self.assertEqual(
            reply.json["keys"],
            [
                {
                    "name": "api.key",
                    "role": "admin",
                    "consoles": None,
                    "source": "file",
                    "created": None,
                    "last_used": None,
                },
                {
                    **made,
                    "source": "api",
                    "created": "2026-11-20T15:14:29Z",
                    "last_used": "2026-11-20T15:14:29Z",
                },
            ],
        )
        self.assertNotIn(secret.encode(), reply.body)

    def test_refused(self) -> None:
        """
        A key that makes no sense is not made, and the text says which part is wrong.
        """
        for body, status, reason, words in (
            ({"name": "a"}, 400, "bad_request", "role: this key is needed"),
            ({"role": "issuer"}, 400, "bad_request", "name: this key is needed"),
            (
                {"name": "a", "role": "queen"},
                400,
                "bad_request",
                "role: must be one of admin, operator, issuer,",
            ),
            ({"name": "a b", "role": "viewer"}, 400, "bad_request", "name: "),
            ({"name": "a", "role": "viewer", "consoles": "[ab]"}, 400, "bad_request", "consoles: "),
            ({"name": "a", "role": "viewer", "consoles": ""}, 400, "bad_request", "consoles: "),
            ({"name": "a", "role": "admin", "consoles": "*"}, 409, "pattern_refused", "takes no pattern"),
            ({"name": "api.key", "role": "viewer"}, 409, "key_exists", "already"),
        ):
            self.assertIn(words, self.refused("POST", "/v1/keys", body, status=status, reason=reason))
        self.assertEqual(len(self.ask("GET", "/v1/keys")["keys"]), 1)

    def test_twice(self) -> None:
        """
        A name is given once.
        """
        self.world.addKey(Role.VIEWER, name="portal")
        self.refused("POST", "/v1/keys", {"name": "portal", "role": "admin"}, status=409, reason="key_exists")

    def test_removed(self) -> None:
        """
        A key that is removed opens nothing from that moment on; there is nothing left to remove.
        """
        secret = self.world.addKey(Role.VIEWER, name="portal")
        self.assertEqual(self.world.ask("GET", "/v1/consoles", key=secret).status, 200)
        self.ask("DELETE", "/v1/keys/portal", status=204)
        self.assertEqual(self.world.ask("GET", "/v1/consoles", key=secret).status, 401)
        self.refused("DELETE", "/v1/keys/portal", status=404, reason="key_unknown")

    def test_fixed(self) -> None:
        """
        The key of the file can be removed there only.
        """
        self.refused("DELETE", "/v1/keys/api.key", status=409, reason="key_fixed")

    def test_admin(self) -> None:
        """
        Another administrator's key may do all that the first one may, and may be removed by it.
        """
        secret = self.world.addKey(Role.ADMIN, name="second")
        made = self.world.ask("POST", "/v1/keys", {"name": "third", "role": "viewer"}, key=secret)
        self.assertEqual(made.status, 201)
        self.ask("DELETE", "/v1/keys/second", status=204)
        self.assertEqual(self.world.ask("GET", "/v1/keys", key=secret).status, 401)

    def test_noted(self) -> None:
        """
        The audit trail hears of every key that comes and goes, and of no secret.
        """
        secret = self.ask("POST", "/v1/keys", {"name": "portal", "role": "issuer"}, 201)["key"]
        self.ask("DELETE", "/v1/keys/portal", status=204)
        self.refused("DELETE", "/v1/keys/portal", status=404, reason="key_unknown")
        noted = self.world.noted()
        self.assertEqual(
            [(each.event.value, each.key, each.client, each.subject) for each in noted],
            [("key_added", "api.key", "203.0.113.9", "portal"), ("key_removed", "api.key", "203.0.113.9", "portal")],
        )
        self.assertNotIn(secret, repr(noted))

    def test_silent(self) -> None:
        """
        The secret of a new key shows in no repr.
        """
        self.assertNotIn("hush", repr(KeyMade(name="a", role=Role.VIEWER, consoles=None, key="hush")))
