"""Break the raster core and the consistency layer, one operator or number at a time.

    python campaigns/mutants.py [--share 1.0] [--seed 0] [--only grid]

A mutant that the module's own tests do not see survives, and is printed with its line.
"""

import argparse
import ast
import contextlib
import copy
import os
import random
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import harness

TARGETS = {
    "specgan_cli/raster/grid.py": [
        "tests/raster/test_grid_meeting.py",
        "tests/raster/test_grid.py",
        "tests/raster/test_tiles.py",
    ],
    "specgan_cli/raster/masks.py": ["tests/raster/test_masks.py"],
    "models/specgan/consistency.py": ["tests/networks/test_consistency.py"],
    "models/specgan/quantise.py": [
        "tests/networks/test_quantise.py",
        "tests/networks/test_consistency.py",
    ],
    "models/specgan/edges.py": ["tests/networks/test_edges.py", "tests/raster/test_scene.py"],
}

SWAPS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
SECONDS = 240


def main() -> int:
    """Run the campaign; 1 if under 85 per cent of the mutants are killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only modules whose name holds this")
    chosen = parser.parse_args()
    random.seed(chosen.seed)
    import numpy  # noqa: F401
    import pytest  # noqa: F401
    import rasterio  # noqa: F401
    import torch

    torch.set_num_threads(1)
    killed = total = 0
    with harness.workplace() as folder:
        for name in ("specgan_cli", "models", "tests", "sample_data", "pyproject.toml"):
            source = harness.ROOT / name
            (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
        for name, tests in TARGETS.items():
            if chosen.only in name:
                dead, made = _mutate(folder, name, tests, chosen.share)
                killed, total = killed + dead, total + made
    print(f"| mutants | {total} | {killed} killed | {killed / max(total, 1):.0%} |")
    return 0 if killed >= 0.85 * total else 1


def _mutate(folder: Path, name: str, tests: list[str], share: float) -> tuple[int, int]:
    path = folder / name
    text = path.read_text("utf-8")
    if not _passes(folder, tests):
        raise SystemExit(f"{name}: its tests fail as it is")
    made = [each for each in mutants(text) if random.random() < share]
    dead = 0
    for line, what, mutant in made:
        path.write_text(mutant, "utf-8")
        if _passes(folder, tests):
            print(f"{name}:{line}: {what} survives", flush=True)
        else:
            dead += 1
    path.write_text(text, "utf-8")
    print(f"{name}: {dead} of {len(made)} killed", flush=True)
    return dead, len(made)


def mutants(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the change and the source of every mutant; type hints are left alone."""
    tree = ast.parse(text)
    hints = {id(n) for hint in _hints(tree) for n in ast.walk(hint)}
    for index, node in enumerate(ast.walk(tree)):
        if id(node) in hints:
            continue
        for change in _changes(node):
            mutant = copy.deepcopy(tree)
            target = next(n for i, n in enumerate(ast.walk(mutant)) if i == index)
            what = change(target)
            yield getattr(node, "lineno", 0), what, ast.unparse(mutant)


def _hints(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.walk(tree):
        found = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        yield from (each for each in found if each is not None)


def _changes(node: ast.AST) -> Iterator:  # type: ignore[type-arg]
    if isinstance(node, ast.BinOp | ast.BoolOp) and type(node.op) in SWAPS:
        yield _swap_op
    if isinstance(node, ast.Compare) and type(node.ops[0]) in SWAPS:
        yield _swap_compare
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, bool):
        yield _change_number
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield _drop_sign


def _swap_op(node: ast.BinOp) -> str:
    old = type(node.op)
    node.op = SWAPS[old]()
    return f"{old.__name__} to {SWAPS[old].__name__}"


def _swap_compare(node: ast.Compare) -> str:
    old = type(node.ops[0])
    node.ops[0] = SWAPS[old]()
    return f"{old.__name__} to {SWAPS[old].__name__}"


def _change_number(node: ast.Constant) -> str:
    old = node.value
    node.value = (not old) if isinstance(old, bool) else old + 1
    return f"{old} to {node.value}"


def _drop_sign(node: ast.UnaryOp) -> str:
    old = type(node.op).__name__
    node.op = ast.UAdd() if old == "USub" else ast.Not() if old == "Invert" else ast.USub()
    return f"{old} to {type(node.op).__name__}"


def _passes(folder: Path, tests: list[str]) -> bool:
    child = os.fork()
    if child == 0:
        signal.alarm(SECONDS)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        code = 1
        with contextlib.suppress(BaseException):
            import pytest

            os.chdir(folder)
            sys.path[:0] = [str(folder), str(folder / "models"), str(folder / "tests")]
            sys.dont_write_bytecode = True
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
        os._exit(code)
    return os.waitpid(child, 0)[1] == 0


if __name__ == "__main__":
    sys.exit(main())
