"""
The OpenAPI 3.1 document of a table of operations: U{https://spec.openapis.org/oas/v3.1.0}.

Nothing here is written by hand that the table, the types or the errors know already.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import attrs
import msgspec

from vncproxy.api.http import Operation
from vncproxy.errors import VNCProxyError
from vncproxy.rights import RIGHTS

_REF: Final = "#/components/schemas/{name}"

#: Either of them will do.
_SECURITY: Final = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key."},
    "token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token", "description": "An API key."},
}


@attrs.frozen
class Description:
    """
    What the table itself does not say of an API.

    @ivar version: the API's, not the program's.
    @ivar errorShape: the type of every error's body.
    @ivar statusOf: the status with which an error is told.
    @ivar parameters: the OpenAPI description and schema of each name that stands in a path's braces.
    """

    title: str
    version: str
    text: str
    errorShape: type[msgspec.Struct]
    statusOf: Callable[[type[VNCProxyError]], int]
    parameters: Mapping[str, Mapping[str, Any]]


def describe(operations: Sequence[Operation], api: Description) -> dict[str, Any]:
    """
    The document, ready for JSON.
    """
    types = sorted({api.errorShape, *_typesOf(operations)}, key=lambda each: each.__name__)
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    for each in types:
        # What no key shows alone, and so no annotation of one can say.
        schemas[each.__name__] |= getattr(each, "together", {})
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        described = _operation(operation, api)
        if operation.method == "PUT":
            _link(described, operation, operations)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    return {
        "openapi": "3.1.0",
        "info": {"title": api.title, "version": api.version, "description": api.text},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def _typesOf(operations: Iterable[Operation]) -> Iterable[type[msgspec.Struct]]:
    for operation in operations:
        yield from filter(None, [operation.body, *(kind for _, kind in operation.answers.values())])


def _operation(operation: Operation, api: Description) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.run.__name__,
        "summary": operation.summary,
        "security": [] if operation.open else [{name: []} for name in _SECURITY],
        "responses": _responses(operation, api),
    }
    if sentences := [*_needed(operation), *filter(None, [operation.details])]:
        described["description"] = " ".join(sentences)
    parameters = [{"name": name, "in": "path", "required": True, **api.parameters[name]} for name in _names(operation)]
    if parameters := [*parameters, *_query(operation)]:
        described["parameters"] = parameters
    if operation.body is not None:
        needed = any(field.required for field in msgspec.structs.fields(operation.body))
        described["requestBody"] = {"required": needed, "content": _content([operation.body])}
    return described


def _names(operation: Operation) -> list[str]:
    return re.findall(r"\{(\w+)\}", operation.path)


def _needed(operation: Operation) -> Iterable[str]:
    if operation.needs is not None:
        roles = ", ".join(role.value for role, rights in RIGHTS.items() if operation.needs in rights)
        yield f"Needs the right `{operation.needs.value}`, which these roles have: {roles}."


def _query(operation: Operation) -> Iterable[dict[str, Any]]:
    if operation.query is not None:
        for field in msgspec.structs.fields(operation.query):
            schema = msgspec.json.schema(field.type)
            # What is left out is null to us; nobody can write that in a query.
            for part in schema.pop("anyOf", ()):
                schema |= part if part != {"type": "null"} else {}
            words = schema.pop("description", "")
            where = {"name": field.encode_name, "in": "query", "required": field.required}
            yield {**where, "description": words, "schema": schema}


def _link(described: dict[str, Any], operation: Operation, operations: Sequence[Operation]) -> None:
    """
    Say of an operation that defines something what can be done with it from then on.
    """
    names = _names(operation)
    links = {
        other.run.__name__: {
            "operationId": other.run.__name__,
            "parameters": {name: f"$request.path.{name}" for name in names},
        }
        for other in operations
        if other is not operation and _names(other) == names
    }
    for status in operation.answers:
        described["responses"][str(status)]["links"] = links


def _responses(operation: Operation, api: Description) -> dict[str, Any]:
    words: dict[int, list[str]] = {}
    kinds: dict[int, list[type[msgspec.Struct] | None]] = {}
    for status, (text, kind) in operation.answers.items():
        words[status], kinds[status] = [text], [kind]
    for error in operation.refusals:
        status = api.statusOf(error)
        words.setdefault(status, []).append(f"`{error.reason}`: {error.told}")
        told = kinds.setdefault(status, [])
        if api.errorShape not in told:
            told.append(api.errorShape)
    return {
        str(status): {"description": "\n\n".join(words[status]), **_body(status, kinds[status])}
        for status in sorted(words)
    }


def _body(status: int, kinds: Sequence[type[msgspec.Struct] | None]) -> dict[str, Any]:
    return {} if status == 204 else {"content": _content(kinds)}


def _content(kinds: Sequence[type[msgspec.Struct] | None]) -> dict[str, Any]:
    schemas = [{"type": "object"} if kind is None else {"$ref": _REF.format(name=kind.__name__)} for kind in kinds]
    return {"application/json": {"schema": schemas[0] if len(schemas) == 1 else {"anyOf": schemas}}}
