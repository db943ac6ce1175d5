"""
The rules on how the package is laid out, read off its syntax trees. C{tests.test_layout} holds the tree to them.

Each check takes the facts of one module and yields complaints; a complaint says where, what, and what to do.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_BANNED: Final = frozenset({"manager", "handler", "helper", "util", "engine"})
_REACTOR: Final = "twisted.internet.reactor"


@dataclass(frozen=True)
class Rules:
    """
    What is laid down for one package.

    @ivar package: its name, and that of its directory.
    @ivar levels: the level of each module and each package directly below it; imports run to lower levels only.
    @ivar beside: pairs (importer, imported) on one level that may touch nevertheless.
    @ivar reactor: the modules that may import the global reactor, within a function.
    @ivar untested: modules, by dotted path below the package, that need no test file.
    """

    package: str
    levels: Mapping[str, int]
    beside: Set[tuple[str, str]] = frozenset()
    reactor: Set[str] = frozenset()
    untested: Set[str] = frozenset()


@dataclass(frozen=True)
class Module:
    """
    One module of the package.

    @ivar path: of its file, from the root of the tree.
    @ivar name: dotted path below the package: C{"rfb.handshake"}, C{"rfb"} for a package's C{__init__}, and the empty
        string for that of the root.
    """

    path: Path
    name: str
    tree: ast.Module = field(repr=False)

    @property
    def part(self) -> str:
        """
        The module or package directly below the root that it is or lies in.
        """
        return self.name.partition(".")[0]

    def at(self, node: ast.AST) -> str:
        """
        Where a node stands, in the form that editors jump to.
        """
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def complaints(root: Path, rules: Rules) -> list[str]:
    """
    Everything in the tree at C{root} that breaks the rules.
    """
    found = list(_unknownParts(root, rules))
    for module in modules(root, rules.package):
        for check in (_relative, _upward, _globalReactor, _untested, _banned):
            found.extend(check(root, module, rules))
    return found


def modules(root: Path, package: str) -> Iterator[Module]:
    """
    The modules of the package, by path.
    """
    for path in sorted((root / package).rglob("*.py")):
        # The page's own sources bring packages of Node, some of which hold Python files.
        if "node_modules" in path.parts:
            continue
        steps = path.relative_to(root / package).with_suffix("").parts
        name = ".".join(step for step in steps if step != "__init__")
        yield Module(path.relative_to(root), name, ast.parse(path.read_text(encoding="utf-8"), str(path)))


def mentions(root: Path, words: Mapping[str, str]) -> list[str]:
    """
    Where any of C{words} stands in a text file below C{root}; what each maps to says why it may not.
    """
    found = []
    for path in _texts(root):
        text = path.read_text(encoding="utf-8", errors="replace")
        for word, why in words.items():
            if word in text:
                line = text[: text.index(word)].count("\n") + 1
                found.append(f"{path.relative_to(root)}:{line}: names {word}: {why}")
    return found


def _texts(root: Path) -> Iterator[Path]:
    # What is made or fetched is not ours.
    made = {"node_modules", "build", "dist", "static", "test-output", "__pycache__", "_api"}
    for path in sorted(root.iterdir()):
        if path.is_dir():
            if path.name not in made and (path.name == ".ci" or not path.name.startswith((".", "_trial_temp"))):
                yield from _texts(path)
        elif path.suffix not in (".png", ".ico", ".pyc", ".jar", ".sqlite", ".cache"):
            yield path


def _unknownParts(root: Path, rules: Rules) -> Iterator[str]:
    parts = {module.part for module in modules(root, rules.package)} - {""}
    for part in sorted(parts - set(rules.levels)):
        yield f"{rules.package}/{part} has no level: name it in the table of tests/test_layout.py"
    for part in sorted(set(rules.levels) - parts):
        yield f"{rules.package}/{part} is gone: take it out of the table of tests/test_layout.py"


def _relative(root: Path, module: Module, rules: Rules) -> Iterator[str]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"{module.at(node)}: relative import: write the whole path, from {rules.package}"


def _upward(root: Path, module: Module, rules: Rules) -> Iterator[str]:
    own = rules.levels.get(module.part, 0)
    for node, target in _imports(module.tree):
        top, _, below = target.partition(".")
        part = below.partition(".")[0]
        if top != rules.package or part == module.part or part not in rules.levels:
            continue
        level = rules.levels[part]
        if level > own:
            yield (
                f"{module.at(node)}: {module.part or rules.package} (level {own}) imports {part} (level {level}): "
                "take what it needs as an argument, or move the shared piece down"
            )
        elif level == own and (module.part, part) not in rules.beside:
            yield (
                f"{module.at(node)}: {module.part} imports {part} on the same level {own}: move the shared piece down, "
                "or list the pair in tests/test_layout.py with a reason"
            )


def _globalReactor(root: Path, module: Module, rules: Rules) -> Iterator[str]:
    inner = {id(node) for node in _withinFunctions(module.tree)}
    for node, target in _imports(module.tree):
        if target != _REACTOR and not target.startswith(_REACTOR + "."):
            continue
        if module.name not in rules.reactor:
            yield f"{module.at(node)}: imports the global reactor: take `reactor` or `clock` as an argument"
        elif id(node) not in inner:
            yield f"{module.at(node)}: imports the global reactor at its top: do that within the function that needs it"


def _untested(root: Path, module: Module, rules: Rules) -> Iterator[str]:
    test = Path("tests", f"test_{module.name.replace('.', '_')}.py")
    if module.path.name == "__init__.py" or module.name in rules.untested:
        return
    if not (root / test).exists():
        yield f"{module.path} has no test: write {test}"


def _banned(root: Path, module: Module, rules: Rules) -> Iterator[str]:
    cure = "say what it does; Manager, Handler, Helper, Util and Engine say nothing"
    for step in module.name.split("."):
        if _BANNED & _words(step):
            yield f"{module.path}: the name {step}: {cure}"
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and _BANNED & _words(node.name):
            yield f"{module.at(node)}: the name {node.name}: {cure}"


def _words(name: str) -> set[str]:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return {word.lower().removesuffix("s") for word in words}


def _withinFunctions(tree: ast.Module) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            for statement in node.body:
                yield from ast.walk(statement)


def _imports(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """
    Every import and the dotted path of what it brings; of C{from a import b} that is C{a.b}, module or not.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for alias in node.names:
                yield node, f"{node.module}.{alias.name}"
