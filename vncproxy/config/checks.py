"""
From a text to a configuration, or to all that is wrong with it. Pure: nothing but the text is looked at.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import attrs
import msgspec

from vncproxy.config.controller import controllerKeyFaults
from vncproxy.config.lines import KeyPath, Lines
from vncproxy.config.openstack import NOVA_PLUGIN, novaKeyFaults
from vncproxy.config.problems import Fault, Problem
from vncproxy.config.sections import Config, Section, StaticConsole, TLSSection
from vncproxy.config.shapes import Shape
from vncproxy.config.stores import RedisPlace, SQLitePlace, parseStore
from vncproxy.targets import BadTarget, parseTarget

_PLACE: Final = re.compile(r" \(at (?:line (?P<line>\d+), column \d+|end of document)\)$")

_SYNTAX_CURES: Final = {
    "Invalid value": 'Text stands in quotes: key = "value".',
    "Cannot declare": "A section stands once: put all its keys below it.",
    "Cannot overwrite": "A key stands once.",
    "Expected '=' after a key": 'Write key = "value", or [section].',
}

_ANY_PORT: Final = re.compile(r"tcp6?:(port=)?0(:|$)")

_WORDS: Final = {str: "a string", bool: "true or false", int: "a number", float: "a number", dict: "a table"}


@attrs.frozen
class Reading:
    """
    What a text says.

    @ivar config: L{None} where something is wrong.
    @ivar problems: in the order of their lines.
    @ivar lines: where its keys stand.
    @ivar tls: what is right of C{[tls]}, also where something else is wrong.
    """

    config: Config | None
    problems: tuple[Problem, ...]
    lines: Lines = attrs.field(factory=lambda: Lines(""))
    tls: TLSSection = attrs.field(factory=TLSSection)


def checkConfig(text: str, name: str) -> list[Problem]:
    """
    All that is wrong with a configuration, in the order of its lines.

    @param name: what problems call the file.
    """
    return list(readConfig(text, name).problems)


def readConfig(text: str, name: str) -> Reading:
    """
    Read a configuration.

    @param name: what problems call the file.
    """
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return Reading(None, (_syntaxProblem(error, text, name),))
    except (RecursionError, ValueError):
        # Brackets a thousand deep, or a number of a thousand digits.
        fault = Problem(name, 0, "", "no value of a configuration is as deep or as long as one here", "Leave it out.")
        return Reading(None, (fault,))
    lines = Lines(text)
    check = _Check(name, lines)
    config = check.config(tables)
    problems = tuple(sorted(check.problems, key=lambda problem: problem.line))
    return Reading(None if problems else config, problems, lines, check.tls)


def shapes(section: type[Section]) -> dict[str, tuple[Any, Shape]]:
    """
    The keys of a section, each with its type and its shape.
    """
    hints = get_type_hints(section, include_extras=True)
    return {key: get_args(hint) for key, hint in hints.items() if key in section.__struct_fields__}


def sections() -> dict[str, type[Section]]:
    """
    The sections that stand once, by name.
    """
    hints = get_type_hints(Config)
    return {name: hints[name] for name in Config.__struct_fields__ if name != "console"}


def _syntaxProblem(error: tomllib.TOMLDecodeError, text: str, name: str) -> Problem:
    message = str(error)
    place = _PLACE.search(message)
    line = text.count("\n") + 1 if place is None or place["line"] is None else int(place["line"])
    cures = (cure for beginning, cure in _SYNTAX_CURES.items() if message.startswith(beginning))
    cure = next(cures, "The file must be TOML, see https://toml.io.")
    return Problem(name, line, "", f"syntax error: {_PLACE.sub('', message)}", cure)


class _Check:
    """
    One pass over the tables of one text.
    """

    def __init__(self, name: str, lines: Lines) -> None:
        self.problems: list[Problem] = []
        self.tls = TLSSection()
        self._name = name
        self._lines = lines
        self._sections = sections()

    def config(self, tables: Mapping[str, Any]) -> Config | None:
        """
        The configuration, L{None} where it cannot be made.
        """
        known: dict[str, dict[str, Any]] = {}
        for name, table in tables.items():
            if name in self._sections and isinstance(table, dict):
                known[name] = self._section((name,), self._sections[name], table)
            elif name in self._sections:
                self._report((name,), Fault("it is a section", f"Write [{name}], and its keys below it."))
            elif name != "console":
                self._report((name,), self._unknownSection(name, table))
        self.tls = TLSSection(**known.get("tls", {}))
        consoles = list(self._consoles(tables.get("console", [])))
        self._across(known, consoles)
        if self.problems:
            return None
        values = {name: self._sections[name](**keys) for name, keys in known.items()}
        return Config(**values, console=tuple(StaticConsole(**keys) for keys in consoles))  # type: ignore[arg-type]

    def _report(self, path: KeyPath, fault: Fault) -> None:
        key = ".".join(part for part in path if isinstance(part, str))
        self.problems.append(Problem(self._name, self._lines.of(path), key, fault.message, fault.cure))

    def _section(self, path: KeyPath, section: type[Section], table: Mapping[str, Any]) -> dict[str, Any]:
        """
        The values of a table that are right; the others are reported.
        """
        known = shapes(section)
        defaults = {field.name: field.default for field in msgspec.structs.fields(section)}
        values: dict[str, Any] = {}
        for key, raw in table.items():
            if key not in known:
                self._report((*path, key), self._unknownKey(key, known, str(path[0])))
                continue
            faults, value = _value(raw, *known[key])
            for fault in faults:
                self._report((*path, key), _fitted(fault, known[key][1], defaults[key]))
            if not faults:
                values[key] = value
        for field in msgspec.structs.fields(section):
            if field.required and field.name not in table:
                self._report(path, Fault(f'the key "{field.name}" is missing', f"Write {_sample(field.name, known)}."))
        return values

    def _consoles(self, raw: Any) -> Iterator[dict[str, Any]]:
        if not isinstance(raw, list) or not all(isinstance(table, dict) for table in raw):
            self._report(("console",), Fault("it is a list of tables", "Write [[console]], in double brackets."))
            return
        for index, table in enumerate(raw):
            yield self._section(("console", index), StaticConsole, table)

    def _unknownSection(self, name: str, value: Any) -> Fault:
        homes = self._homes(name)
        if homes and not isinstance(value, dict):
            return Fault("it stands outside its section", f"Put it below {homes}.")
        names = [*self._sections, "console"]
        close = get_close_matches(name, names, 1)
        cure = f'Did you mean "{close[0]}"?' if close else f"There are {', '.join(names)}."
        return Fault("there is no such section" if isinstance(value, dict | list) else "there is no such key", cure)

    def _unknownKey(self, key: str, known: Iterable[str], section: str) -> Fault:
        homes = self._homes(key)
        close = get_close_matches(key, known, 1)
        if homes:
            cure = f"It belongs below {homes}."
        elif close:
            cure = f'Did you mean "{close[0]}"?'
        else:
            cure = f"[{section}] takes {', '.join(known)}."
        return Fault("there is no such key", cure)

    def _homes(self, key: str) -> str:
        return " or ".join(f"[{name}]" for name, section in self._sections.items() if key in shapes(section))

    def _across(self, known: Mapping[str, Mapping[str, Any]], consoles: Iterable[Mapping[str, Any]]) -> None:
        """
        What no value shows by itself.
        """
        tls = known.get("tls", {})
        if "key" in tls and "certificate" not in tls:
            self._report(("tls", "key"), Fault("there is a key but no certificate", "Write certificate, too."))
        if "certificate" in tls and tls.get("self_signed"):
            self._report(("tls", "self_signed"), Fault("there is a certificate already", "Leave one of the two out."))
        self._store(known.get("store", {}))
        for key, fault in controllerKeyFaults(known.get("consoleauth", {})):
            self._report(("consoleauth", key), fault)
        self._plugins(known)
        nova = novaKeyFaults(known.get("nova", {})) if NOVA_PLUGIN in known.get("tokens", {}).get("plugin", ()) else ()
        for key, fault in nova:
            self._report(("nova", key) if key else ("nova",), fault)
        self._proxyProtocol(known)
        self._doors(known)
        seen: set[str] = set()
        for index, keys in enumerate(consoles):
            if keys.get("id") in seen:
                self._report(("console", index, "id"), Fault("another console has this id", "Give each its own."))
            seen.update({keys["id"]} if "id" in keys else ())
            try:
                parseTarget(keys.get("url", "vnc://none"), keys.get("password"))
            except BadTarget as error:
                self._report(("console", index, error.key), Fault(error.cause, error.cure))

    def _store(self, keys: Mapping[str, Any]) -> None:
        """
        What is said of a store that is another one.
        """
        place = parseStore(keys["url"]) if "url" in keys else SQLitePlace("")
        redis = place if isinstance(place, RedisPlace) else None
        if "password_file" in keys and redis is None:
            fault = Fault("it is for a Redis", "Write its url, too, or leave it out.")
            self._report(("store", "password_file"), fault)
        for key in ("ca_certs", "client_certificate", "client_key"):
            if key in keys and (redis is None or not redis.tls):
                self._report(("store", key), Fault("it is for TLS", 'Write "rediss://" in url, or leave it out.'))
        if "client_key" in keys and "client_certificate" not in keys:
            fault = Fault("there is a key but no certificate", "Write client_certificate, too.")
            self._report(("store", "client_key"), fault)
        if "password_file" in keys and redis is not None and redis.password is not None:
            fault = Fault("there is a password in url already", "Leave one of the two out.")
            self._report(("store", "password_file"), fault)

    def _plugins(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """
        A plugin has what it needs, and nothing is given to none.
        """
        web, tokens = known.get("web", {}), known.get("tokens", {})
        for key in ("auth_source", "web_auth"):
            if web.get(key) and "auth_plugin" not in web:
                self._report(("web", key), Fault("there is no plugin to go with it", "Write auth_plugin, too."))
        if "ClientCertCNAuth" in web.get("auth_plugin", "") and "client_ca" not in known.get("tls", {}):
            cure = "Write client_ca in [tls]."
            self._report(("web", "auth_plugin"), Fault("viewers are not asked for certificates", cure))
        plugins, given = tokens.get("plugin", ()), tokens.get("source", ())
        if len(given) > len(plugins):
            self._report(("tokens", "source"), Fault("there are more sources than plugins", "Write one for each."))
        lacking = [
            name for at, name in enumerate(plugins) if at >= len(given) and "." not in name and name != NOVA_PLUGIN
        ]
        if lacking:
            cure = 'Write source: one for each plugin, in their order; "" where one needs none.'
            self._report(("tokens", "plugin"), Fault(f"{lacking[0]} has no source", cure))

    def _proxyProtocol(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """
        Headers of the PROXY protocol come from somebody.
        """
        if known.get("web", {}).get("trusted_proxies"):
            return
        for name, keys in known.items():
            if keys.get("proxy_protocol"):
                fault = Fault("nobody is trusted to send its headers", "Write trusted_proxies in [web], too.")
                self._report((name, "proxy_protocol"), fault)

    def _doors(self, known: Mapping[str, Mapping[str, Any]]) -> None:
        """
        No two sections may listen on one endpoint, be it named or taken by default.
        """
        defaults = Config()
        taken: dict[str, str] = {}
        # Those that name none come first: a problem is reported where there is something to be changed.
        for name in sorted(self._sections, key=lambda name: "listen" in known.get(name, {})):
            silent = getattr(getattr(defaults, name), "listen", ())
            for endpoint in known.get(name, {}).get("listen", silent):
                other = taken.setdefault(endpoint, name)
                if other != name and not _ANY_PORT.match(endpoint):
                    self._report((name, "listen"), Fault(f"[{other}] listens there, too", "Give each its own port."))


def _value(raw: Any, kind: Any, shape: Shape) -> tuple[list[Fault], Any]:
    """
    What is wrong with a value, and the value as its type has it.
    """
    if isinstance(raw, str) and get_origin(kind) is tuple:
        raw = [raw]
    try:
        value = msgspec.convert(raw, kind)
    except (msgspec.ValidationError, OverflowError):
        plain = get_origin(kind) not in (tuple, Literal)
        found = f", not {_WORDS.get(type(raw), 'this')}" if plain else ""
        return [Fault(f"it must be {shape.expected}{found}", f"Write for instance {shape.example}.")], None
    return list(shape.faults(value)), value


def _fitted(fault: Fault, shape: Shape, default: object) -> Fault:
    """
    A fault whose cure, where it is an example number, is the default of the key: ten seconds suit one key and not
    another.
    """
    general = f"Write for instance {shape.example}."
    if fault.cure != general or not isinstance(default, int | float) or isinstance(default, bool) or not default:
        return fault
    return attrs.evolve(fault, cure=f"Write for instance {default:g}.")


def _sample(key: str, known: Mapping[str, tuple[Any, Shape]]) -> str:
    return f"{key} = {known[key][1].example}"
