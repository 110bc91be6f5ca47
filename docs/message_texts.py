"""Every message of the code, found in its source: errors, warnings, and reasons to leave out.

An ellipsis stands for a value. Text that a helper function or a variable makes is followed to
where it is written.
"""

import ast
import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCES = ("specgan_cli", "models/specgan")

KINDS = {
    "RasterError": "A raster or a cube cannot be read",
    "OutputError": "An output cannot be written",
    "DatasetError": "A training dataset cannot be used",
    "TrainingError": "Training cannot go on",
    "MissingExtraError": "A package is missing",
    "MismatchError": "The inputs do not fit together (exit code 3)",
    "ShapeError": "An array or tensor does not fit",
    "WeightsError": "A weights file cannot be used",
    "MetricNameError": "A metric is unknown",
    "SpecganError": "Anything else that was expected",
    "UsageError": "Wrong usage (exit code 2)",
    "fail": "A value that an option does not take (exit code 2)",
    "MemoryError": "Memory runs out",
    "Rejected": "What is left out of a dataset",
    "warning": "Warnings",
    "ValueError": "Parts of other messages, and misuse from Python",
}
"""What is called with a message, and what it means to who reads it."""

SAME = {"TypeError": "ValueError", "BadParameter": "fail", "_fail": "SpecganError"}
"""Calls that belong to another's group."""

GAP = "\N{HORIZONTAL ELLIPSIS}"
_FORMAT = re.compile(r"%[-+ #0]*\d*(?:\.\d+)?[sdrfgex]")
_DEPTH = 3

Functions = dict[str, ast.FunctionDef]


class Texts:
    """The texts that expressions of one module may give."""

    def __init__(self, tree: ast.Module, functions: Functions) -> None:
        self.functions = functions | _functions(tree)
        self.scopes = {node: found for found in _functions(tree).values() for node in walk(found)}

    def of(self, node: ast.expr, depth: int = 0) -> list[str]:
        """Return every text that an expression may give, with a gap for each value."""
        match node:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr():
                parts = [self.of(part, depth) for part in node.values]
                return ["".join(each) for each in itertools.product(*parts)]
            case ast.BinOp(op=ast.Add()):
                both = itertools.product(self.of(node.left, depth), self.of(node.right, depth))
                return ["".join(each) for each in both]
            case ast.IfExp():
                return self.of(node.body, depth) + self.of(node.orelse, depth)
            case ast.FormattedValue():
                return self._told(node.value, depth)
            case ast.Starred():
                return self.of(node.value, depth)
            case ast.Tuple(elts=[first, *_]):
                return self.of(first, depth)
            case ast.Name() | ast.Call():
                return self._told(node, depth)
        return [GAP]

    def _told(self, node: ast.expr, depth: int) -> list[str]:
        """Follow a call or a variable to where its words stand, a few steps."""
        sources: list[ast.expr] = []
        if depth < _DEPTH and isinstance(node, ast.Call):
            function = self.functions.get(ast.unparse(node.func))
            if function is not None:
                inner = [each for each in walk(function) if isinstance(each, ast.Return)]
                sources = [each.value for each in inner if each.value is not None]
        elif depth < _DEPTH and isinstance(node, ast.Name) and node in self.scopes:
            around = walk(self.scopes[node])
            assigned = (each for each in around if isinstance(each, ast.Assign))
            sources = [each.value for each in assigned if ast.unparse(each.targets[0]) == node.id]
        elif isinstance(node, ast.IfExp):
            return self.of(node, depth)
        texts = [text for source in sources for text in self.of(source, depth + 1)]
        told = [text if " " in text.strip(GAP + " ") else GAP for text in texts]
        return sorted({*told}) or [GAP]


def walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield every node below one."""
    return ast.walk(tree)


def _functions(tree: ast.Module) -> Functions:
    return {node.name: node for node in walk(tree) if isinstance(node, ast.FunctionDef)}


def modules() -> dict[Path, ast.Module]:
    """Return every module of the product, parsed."""
    paths = [path for source in SOURCES for path in sorted((ROOT / source).rglob("*.py"))]
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def kind_of(call: ast.Call) -> str | None:
    """Return the group that a call's message belongs to; None for a call that says nothing."""
    name = ast.unparse(call.func).split(".")[-1]
    name = SAME.get(name, name)
    return name if name in KINDS else None


def argument(call: ast.Call) -> ast.expr | None:
    """Return the argument that holds the message."""
    at = 1 if kind_of(call) == "Rejected" or ast.unparse(call.func) == "_fail" else 0
    return call.args[at] if len(call.args) > at else None


def said(trees: Iterable[ast.Module]) -> Iterator[tuple[ast.Call, str, list[str]]]:
    """Yield every call with a message, its group, and the texts with words that it may give."""
    trees = list(trees)
    everywhere = {name: each for tree in trees for name, each in _functions(tree).items()}
    public = {name: each for name, each in everywhere.items() if not name.startswith("_")}
    for tree in trees:
        texts = Texts(tree, public)
        for call in (node for node in walk(tree) if isinstance(node, ast.Call)):
            kind, text = kind_of(call), argument(call)
            if kind is not None and text is not None:
                yield call, kind, [each for each in texts.of(text) if each.strip(GAP + ": ")]


def messages() -> dict[str, set[str]]:
    """Return the messages of every group, as they are written in the code."""
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for _, kind, texts in said(modules().values()):
        found[kind] |= {_shown(text) for text in texts}
    return found


def _shown(text: str) -> str:
    """Return a message on one line, with a gap for each placeholder of logging."""
    return re.sub(f"{GAP}+", GAP, " ".join(_FORMAT.sub(GAP, text).split()))
