"""
What the OpenAPI document of L{vncproxy.api.openapi} says.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.apiworld import World
from vncproxy.api.messages import CONSOLE_ID_PATTERN


class DescribeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.document: dict[str, Any] = World().ask("GET", "/v1/openapi.json", key=None).json

    def operation(self, method: str, path: str) -> Any:
        return self.document["paths"][path][method]

    def test_kind(self) -> None:
        """
        It is OpenAPI 3.1, and relative to where it was fetched.
        """
        self.assertEqual(self.document["openapi"], "3.1.0")
        self.assertEqual(self.document["servers"], [{"url": "/"}])

    def test_statuses(self) -> None:
        """
        Every status that can be answered is named, those of the gates too.
        """
        for method, path, statuses in (
            ("get", "/v1/consoles", "200 401 403 429 500 503"),
            ("put", "/v1/consoles/{console}", "200 201 400 401 403 404 409 413 415 429 500 503"),
            ("delete", "/v1/consoles/{console}", "204 401 403 404 409 429 500 503"),
            ("post", "/v1/consoles/{console}/access", "201 400 401 403 404 409 413 415 429 500 502 503"),
            ("delete", "/v1/sessions/{session}", "204 401 403 404 429 500 503"),
            ("get", "/healthz", "200 500 503"),
        ):
            self.assertEqual(" ".join(self.operation(method, path)["responses"]), statuses, path)

    def test_errors(self) -> None:
        """
        A refusal is described by its reason word and has the shape of all errors.
        """
        told = self.operation("delete", "/v1/consoles/{console}")["responses"]["409"]
        self.assertTrue(told["description"].startswith("`console_fixed`: "))
        schema = told["content"]["application/json"]["schema"]
        self.assertEqual(schema, {"$ref": "#/components/schemas/ErrorReply"})

    def test_twoShapes(self) -> None:
        """
        A status that may come in two shapes names both.
        """
        told = self.operation("get", "/readyz")["responses"]["503"]["content"]["application/json"]["schema"]
        names = [each["$ref"].rsplit("/")[-1] for each in told["anyOf"]]
        self.assertEqual(names, ["Readiness", "ErrorReply"])

    def test_noBody(self) -> None:
        """
        A status without a body describes none.
        """
        self.assertNotIn("content", self.operation("delete", "/v1/sessions/{session}")["responses"]["204"])

    def test_security(self) -> None:
        """
        Either header will do, and open operations need none.
        """
        self.assertEqual(self.operation("get", "/v1/sessions")["security"], [{"bearer": []}, {"token": []}])
        self.assertEqual(self.operation("get", "/healthz")["security"], [])
        self.assertEqual(set(self.document["components"]["securitySchemes"]), {"bearer", "token"})

    def test_parameters(self) -> None:
        """
        What stands in a path's braces is described.
        """
        (parameter,) = self.operation("get", "/v1/consoles/{console}")["parameters"]
        self.assertEqual((parameter["name"], parameter["in"], parameter["required"]), ("console", "path", True))
        self.assertEqual(parameter["schema"]["pattern"], CONSOLE_ID_PATTERN)

    def test_query(self) -> None:
        """
        What stands behind the question mark is described, with what it means and what it may be.
        """
        parameters = {each["name"]: each for each in self.operation("get", "/v1/audit")["parameters"]}
        self.assertEqual(set(parameters), {"since", "until", "console", "limit", "cursor"})
        for each in parameters.values():
            self.assertEqual((each["in"], each["required"], bool(each["description"])), ("query", False, True))
        limit = parameters["limit"]["schema"]
        self.assertEqual((limit["type"], limit["minimum"], limit["maximum"]), ("integer", 1, 1000))

    def test_together(self) -> None:
        """
        What no key shows alone is said, too: a raw console has no password.
        """
        either, other = self.document["components"]["schemas"]["ConsoleDefinition"]["anyOf"]
        self.assertEqual(either["properties"]["url"]["pattern"], "^vnc")
        self.assertEqual(other["properties"]["password"], {"type": "null"})

    def test_bodies(self) -> None:
        """
        A body is needed where one of its keys is.
        """
        self.assertTrue(self.operation("put", "/v1/consoles/{console}")["requestBody"]["required"])
        self.assertFalse(self.operation("post", "/v1/consoles/{console}/access")["requestBody"]["required"])

    def test_links(self) -> None:
        """
        A console that was defined leads on to all that can be done with it.
        """
        for status in ("200", "201"):
            links = self.operation("put", "/v1/consoles/{console}")["responses"][status]["links"]
            self.assertEqual(set(links), {"getConsole", "deleteConsole", "grantAccess", "revokeTokens"})
            self.assertEqual(links["grantAccess"]["parameters"], {"console": "$request.path.console"})

    def test_references(self) -> None:
        """
        Every schema that is referred to is there.
        """
        named = set(re.findall(r"#/components/schemas/(\w+)", repr(self.document)))
        self.assertEqual(named, named & set(self.document["components"]["schemas"]))
        self.assertIn("ConsoleDefinition", named)

    def test_descriptions(self) -> None:
        """
        Schemas are described in plain sentences, not in the markup of our docstrings.
        """
        for name, schema in self.document["components"]["schemas"].items():
            self.assertNotRegex(schema.get("description", ""), r"[LCIU]\{|@\w+|\n", name)

    def test_operationIDs(self) -> None:
        """
        Each operation has an id of its own, for generated clients.
        """
        ids = [each["operationId"] for methods in self.document["paths"].values() for each in methods.values()]
        self.assertEqual(len(ids), len(set(ids)))
