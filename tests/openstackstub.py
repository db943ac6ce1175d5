"""
As much of an OpenStack cloud as a proxy meets: Keystone's v3 login with a catalog, and nova's look at tokens.

It stands behind any site, in memory or on a port.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from tests.memoryhttp import Connection

USER, PASSWORD, PROJECT = "vncproxy", "sesame", "service"
CREDENTIAL, SECRET = "credential-1", "open-sesame"

#: A token that a viewer shows, and what nova says of it.
TOKEN = "1fbb6f84-9c03-4c9b-b68e-4cdb56ea5a4a"
CONSOLE = {"instance_uuid": "vm-1", "host": "10.0.0.5", "port": 5901, "internal_access_path": None}


class OpenStackStub(Resource):
    """
    The cloud.

    @ivar base: the URL that its catalog names it by.
    @ivar consoles: by token.
    @ivar lifetime: how long a login lasts, in seconds.
    @ivar valid: the logins that are good.
    @ivar asked: every request, as C{"METHOD path"}.
    @ivar silent: requests that are answered with nothing, as long as it is set.
    @ivar instead: status and body that nova answers with, in place of what it would.
    @ivar admin: the user may look at tokens.
    """

    isLeaf = True

    def __init__(self, clock: IReactorTime, base: str) -> None:
        super().__init__()
        self._clock = clock
        self.base = base
        self.consoles: dict[str, dict[str, Any]] = {TOKEN: CONSOLE}
        self.lifetime = 3600.0
        self.valid: set[str] = set()
        self.asked: list[str] = []
        self.silent = False
        self.instead: tuple[int, Any] | None = None
        self.admin = True

    def render(self, request: Request) -> Any:
        """
        Answer as Keystone or as nova.
        """
        path = request.path.decode()
        self.asked.append(f"{request.method.decode()} {path}")
        if self.silent:
            return NOT_DONE_YET
        if path == "/v3/auth/tokens":
            return self._logIn(request)
        token = path.removeprefix("/v2.1/os-console-auth-tokens/")
        if token == path:
            return _answer(request, 404, "404 page not found")
        return self._show(request, token)

    def _logIn(self, request: Request) -> bytes:
        assert request.content is not None
        if not self._knows(json.loads(request.content.read())["auth"]):
            message = "The request you have made requires authentication."
            return _answer(request, 401, {"error": {"code": 401, "message": message, "title": "Unauthorized"}})
        token = f"login-{len(self.asked)}"
        self.valid.add(token)
        request.setHeader("x-subject-token", token)
        end = datetime.fromtimestamp(self._clock.seconds() + self.lifetime, UTC)
        keystone = _endpoint("public", "RegionOne", f"{self.base}/v3")
        catalog = [
            {"type": "identity", "name": "keystone", "endpoints": [keystone]},
            {
                "type": "compute",
                "name": "nova",
                "endpoints": [
                    _endpoint("internal", "RegionOne", "http://nowhere.invalid/v2.1"),
                    _endpoint("public", "RegionOne", f"{self.base}/v2.1"),
                    _endpoint("public", "RegionTwo", "http://nowhere.invalid/v2.1"),
                ],
            },
        ]
        expires = end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return _answer(request, 201, {"token": {"methods": ["password"], "expires_at": expires, "catalog": catalog}})

    def _knows(self, auth: dict[str, Any]) -> bool:
        identity = auth["identity"]
        if identity["methods"] == ["application_credential"]:
            # Such a credential knows its project.
            known = {"id": CREDENTIAL, "secret": SECRET}
            return "scope" not in auth and bool(identity["application_credential"] == known)
        return auth == {
            "identity": {
                "methods": ["password"],
                "password": {"user": {"name": USER, "domain": {"name": "Default"}, "password": PASSWORD}},
            },
            "scope": {"project": {"name": PROJECT, "domain": {"name": "Default"}}},
        }

    def _show(self, request: Request, token: str) -> bytes:
        if request.getHeader("x-auth-token") not in self.valid:
            return _answer(request, 401, {"error": {"code": 401, "message": "…", "title": "Unauthorized"}})
        if self.instead is not None:
            return _answer(request, *self.instead)
        if request.getHeader("openstack-api-version") != "compute 2.31":
            return _answer(request, 400, {"badRequest": {"code": 400, "message": "The requested console type …"}})
        if not self.admin:
            return _answer(request, 403, {"forbidden": {"code": 403, "message": "Policy doesn't allow …"}})
        if token not in self.consoles:
            return _answer(request, 404, {"itemNotFound": {"code": 404, "message": "Token not found"}})
        return _answer(request, 200, {"console": self.consoles[token]})


def _answer(request: Request, status: int, body: Any) -> bytes:
    request.setResponseCode(status)
    request.setHeader("content-type", "application/json")
    return json.dumps(body).encode() if not isinstance(body, bytes) else body


def _endpoint(interface: str, region: str, url: str) -> dict[str, str]:
    return {"id": "…", "interface": interface, "region": region, "region_id": region, "url": url}


@implementer(IAgent)
class MemoryAgent:
    """
    The way of an HTTP client to a site in memory.

    @ivar sent: the headers and the body of each request.
    @ivar fault: what every request fails with, if anything.
    @ivar cut: bodies break off.
    @ivar cancelled: how many requests were given up.
    """

    def __init__(self, resource: Resource, clock: IReactorTime) -> None:
        self._site = Site(resource, reactor=clock)
        self.fault: Exception | None = None
        self.cut: Exception | None = None
        self.cancelled = 0

    def request(
        self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: IBodyProducer | None = None
    ) -> Deferred[IResponse]:
        """
        See L{IAgent.request}.
        """
        answer: Deferred[IResponse] = Deferred(self._cancelled)
        if self.fault is not None:
            answer.errback(self.fault)
            return answer
        connection = Connection(self._site)
        body = b"" if bodyProducer is None else bodyProducer._inputFile.read()  # type: ignore[attr-defined]
        fields = {key.decode(): values[-1].decode() for key, values in (headers or Headers()).getAllRawHeaders()}
        path = "/" + uri.decode().split("/", 3)[3]
        connection.request(method.decode(), path, body, fields)
        if connection.answered:
            reply = connection.reply()
            told = Headers({key: [value] for key, value in reply.headers.items()})
            answer.callback(MemoryResponse(reply.status, told, reply.body, self.cut))  # type: ignore[arg-type]
        return answer

    def _cancelled(self, answer: Deferred[IResponse]) -> None:
        self.cancelled += 1


@attrs.define
class MemoryResponse:
    """
    What it answered; as much of L{IResponse} as is looked at.
    """

    code: int
    headers: Headers
    body: bytes
    cut: Exception | None

    def deliverBody(self, protocol: IProtocol) -> None:
        """
        See L{IResponse.deliverBody}.
        """
        protocol.makeConnection(StringTransport())  # type: ignore[arg-type]
        protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(self.cut or ResponseDone()))
