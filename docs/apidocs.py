"""
How pydoctor reads this package: C{pydoctor --system-class=apidocs.System}, with this directory on the path.

Three things differ from pydoctor's own ways:

  - Names of Python and of the libraries are looked up in what is installed, not in an index on the network. So a build
    needs no network, and a link to a name that does not exist is an error.
  - Of C{Annotated[T, …]} only C{T} is read as a type: pydoctor would take the words in it for types too.
  - The docstring of a command is its C{--help}, laid out for a terminal. Its first paragraph is kept.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from pydoctor.astbuilder import SyntaxTreeParser
from pydoctor.model import Module, ParsedAstModule
from pydoctor.model import System as BaseSystem
from pydoctor.sphinx import SphinxInventory
from zope.interface.interface import InterfaceClass


class InstalledNames(SphinxInventory):
    """
    Names of other projects, as far as they are installed.
    """

    def getLink(self, name: str) -> str | None:
        """
        Where C{name} is documented, L{None} if there is no such thing.
        """
        if name == "None" or hasattr(builtins, name):
            return _pythonLink(name)
        found = _find(name)
        # Of our own names pydoctor knows every one.
        if found is None or name.startswith("vncproxy."):
            return None
        module, thing = found
        top = module.__name__.partition(".")[0]
        if top in sys.stdlib_module_names:
            return _pythonLink(name)
        if top == "twisted":
            return _twistedLink(module, thing, name)
        # Where another project keeps its pages is not ours to know, but the name is right.
        return "#"


def _find(name: str) -> tuple[ModuleType, Any] | None:
    """
    The module that C{name} lies in, and the thing itself.
    """
    steps = name.split(".")
    for count in range(len(steps), 0, -1):
        try:
            module = importlib.import_module(".".join(steps[:count]))
        except ImportError:
            continue
        thing: Any = module
        for step in steps[count:]:
            thing = thing.get(step) if isinstance(thing, InterfaceClass) else getattr(thing, step, None)
            if thing is None:
                return None
        return module, thing
    return None


def _pythonLink(name: str) -> str:
    return f"https://docs.python.org/3/search.html?q={name}"


def _twistedLink(module: ModuleType, thing: Any, name: str) -> str:
    base = "https://docs.twisted.org/en/stable/api"
    if inspect.ismodule(thing) or inspect.isclass(thing) or isinstance(thing, InterfaceClass):
        return f"{base}/{name}.html"
    return f"{base}/{module.__name__}.html#{name.rpartition('.')[2]}"


class _Readable(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        # pydoctor shows the values of constants as XML, and writes a no-break space as HTML would.
        if isinstance(node.value, str) and "\u00a0" in node.value:
            return ast.copy_location(ast.Constant(node.value.replace("\u00a0", " ")), node)
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.value, ast.Name) and node.value.id == "Annotated" and isinstance(node.slice, ast.Tuple):
            return node.slice.elts[0]
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self.generic_visit(node)
        docstring = ast.get_docstring(node)
        if docstring is not None and any(_makesCommand(decorator) for decorator in node.decorator_list):
            first = node.body[0]
            assert isinstance(first, ast.Expr)
            first.value = ast.copy_location(ast.Constant(docstring.partition("\n\n")[0]), first.value)
        return node


def _makesCommand(decorator: ast.expr) -> bool:
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(called, ast.Attribute) and called.attr in ("command", "group")


class _Parser(SyntaxTreeParser):
    def parseFile(self, path: Path, ctx: Module) -> ParsedAstModule | None:
        parsed = super().parseFile(path, ctx)
        if parsed is not None:
            _Readable().visit(parsed.root)
        return parsed


class System(BaseSystem):
    """
    pydoctor's model of the package, with the differences that this module opens with.
    """

    syntaxTreeParser = _Parser

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.intersphinx = InstalledNames(logger=self.msg)
