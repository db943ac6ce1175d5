"""
L{vncproxy.config.openstack}.
"""

from __future__ import annotations

from itertools import combinations

from twisted.trial.unittest import SynchronousTestCase

from vncproxy.config import checkConfig
from vncproxy.config.openstack import novaKeyFaults
from vncproxy.config.sections import NovaSection

PASSWORD = {"auth_url": "https://k/v3", "username": "u", "password_file": "/p", "project_name": "service"}
CREDENTIAL = {
    "auth_url": "https://k/v3",
    "application_credential_id": "i",
    "application_credential_secret_file": "/s",
}
FIXED = {"endpoint_override": "https://n/v2.1", "token_file": "/t"}
MORE = {"region_name": "r", "interface": "internal", "ca_certs": "/c"}


class NovaKeyFaultsTests(SynchronousTestCase):
    def faults(self, keys: dict[str, str]) -> list[tuple[str, str]]:
        """
        What is wrong, and where.
        """
        return [(key, fault.message) for key, fault in novaKeyFaults(keys)]

    def test_ways(self) -> None:
        """
        Each of the three ways to say who we are is enough, and the other keys may stand beside it.
        """
        for way in (PASSWORD, CREDENTIAL, FIXED):
            self.assertEqual(self.faults({**MORE, **way}), [])
        self.assertEqual(self.faults({**CREDENTIAL, "endpoint_override": "https://n/v2.1"}), [])

    def test_missing(self) -> None:
        """
        A key that a way lacks is named.
        """
        for way in (PASSWORD, CREDENTIAL, FIXED):
            for missing in way:
                rest = {key: value for key, value in way.items() if key != missing}
                if set(rest) <= {"auth_url", "endpoint_override"}:
                    self.assertEqual(self.faults(rest), [("", "it does not say who we are")])
                else:
                    self.assertEqual(self.faults(rest), [("", f'the key "{missing}" is missing')])
        self.assertEqual(self.faults({}), [("", "it does not say who we are")])

    def test_tooMuch(self) -> None:
        """
        Two ways at a time are one too many, and so is a login beside a token.
        """
        for one, other in combinations((PASSWORD, CREDENTIAL, FIXED), 2):
            ((key, message),) = self.faults({**one, **other})
            self.assertIn(key, other)
            self.assertRegex(message, "there is .* already")
        ((key, _),) = self.faults({**FIXED, "auth_url": "https://k"})
        self.assertEqual(key, "auth_url")


class CheckTests(SynchronousTestCase):
    """
    The same in a file.
    """

    def test_good(self) -> None:
        """
        The plugin needs no source.
        """
        text = '[tokens]\nplugin = "nova"\n[nova]\nendpoint_override = "https://n/v2.1"\ntoken_file = "/t"\n'
        self.assertEqual(checkConfig(text, "f"), [])

    def test_bad(self) -> None:
        """
        A problem is told where its key stands, or at its section.
        """
        begin = '[tokens]\nplugin = "nova"\n[nova]\n'
        (problem,) = checkConfig(f'{begin}token_file = "/t"\nendpoint_override = "http://n"\nusername = "u"', "f")
        self.assertEqual((problem.line, problem.key), (4, "nova.token_file"))
        (problem,) = checkConfig(f'{begin}region_name = "r"\n', "f")
        self.assertEqual((problem.line, problem.key), (3, "nova"))

    def test_unused(self) -> None:
        """
        What nobody asks for need not be whole.
        """
        self.assertEqual(checkConfig('[nova]\nregion_name = "r"\n', "f"), [])

    def test_URLs(self) -> None:
        """
        A URL with credentials, a query or another scheme is none of a service.
        """
        for url in ("https://u:p@k/v3", "https://k/v3?x=1", "https://k/#x", "ftp://k/", "keystone"):
            problems = checkConfig(f'[tokens]\nplugin = "nova"\n[nova]\nauth_url = "{url}"\n', "f")
            self.assertIn("nova.auth_url", [problem.key for problem in problems], url)

    def test_secrets(self) -> None:
        """
        No secret is among the keys: they stand in files.
        """
        keys = set(NovaSection.__struct_fields__)
        self.assertEqual(
            {key for key in keys if "password" in key or "secret" in key or "token" in key},
            {"password_file", "application_credential_secret_file", "token_file"},
        )
