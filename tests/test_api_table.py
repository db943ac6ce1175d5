"""
The table of API v1.
"""

from __future__ import annotations

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import World
from vncproxy.api.table import API
from vncproxy.rights import Right


class TableTests(SynchronousTestCase):
    """
    What holds for every operation.
    """

    def setUp(self) -> None:
        self.paths = World().ask("GET", "/v1/openapi.json", key=None).json["paths"]
        self.operations = [(path, each) for path, methods in self.paths.items() for each in methods.values()]

    def test_rights(self) -> None:
        """
        Every operation names the right that it needs, but for three that tell nothing of consoles.
        """
        free = {path for path, each in self.operations if not each["security"]}
        self.assertEqual(free, {"/healthz", "/readyz", "/v1/openapi.json"})
        named = set()
        for path, each in self.operations:
            self.assertEqual("403" in each["responses"], path not in free, path)
            found = re.match(r"Needs the right `(\w+)`, which these roles have: admin", each.get("description", ""))
            self.assertEqual(found is not None, path not in free, path)
            named |= {found[1]} if found else set()
        self.assertEqual(named, {right.value for right in Right})

    def test_parameters(self) -> None:
        """
        Whatever stands in the braces of a path is described, and nothing else is.
        """
        self.assertEqual({name for path in self.paths for name in re.findall(r"\{(\w+)\}", path)}, set(API.parameters))

    def test_names(self) -> None:
        """
        Each operation is called as programs that are made from the document will call it.
        """
        names = {each["operationId"] for _, each in self.operations}
        self.assertLessEqual({"putConsole", "grantAccess", "listAudit", "addKey", "removeKey", "openAPI"}, names)
