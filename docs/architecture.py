"""The picture of the architecture, drawn from the import contracts and the imports."""

import ast
import html
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = "specgan"
"""The networks' package, which stands beside the layers."""

_WIDTH, _HEIGHT = 150, 34
_ROW = 62
_MIDDLE = 330
_LIBRARY_LEFT = 640

_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1c2321; text-anchor: middle; }
.small { font-size: 12px; }
rect { fill: #ffffff; stroke: #5d6965; }
path { fill: none; stroke: #0b6e69; stroke-width: 1.3; }
.door { stroke-dasharray: 5 3; }
marker path { fill: #0b6e69; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e4e9e6; } rect { fill: #1b2223; stroke: #9aa6a2; }
  path { stroke: #52c7bf; } marker path { fill: #52c7bf; }
}
"""


@dataclass(frozen=True)
class Box:
    """A package in the picture."""

    x: float
    """Its middle, pixels from the left."""
    y: float
    """Its middle, pixels from the top."""

    @property
    def left(self) -> float:
        """Its left side."""
        return self.x - _WIDTH / 2

    @property
    def right(self) -> float:
        """Its right side."""
        return self.x + _WIDTH / 2


def layers() -> list[list[str]]:
    """Return the packages from the top down, neighbours together, as the contract has them."""
    content = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = content["tool"]["importlinter"]["contracts"]
    (found,) = (each["layers"] for each in contracts if each["type"] == "layers")
    return [[name.strip().split(".")[1] for name in layer.split("|")] for layer in found]


def is_folder(name: str) -> bool:
    """Whether a name of the contract is a package, not a module."""
    return (ROOT / "specgan_cli" / name).is_dir()


def imported(name: str) -> set[str]:
    """Return the packages of the product that a package's modules import."""
    return {found for path in modules(name) for found in _imports(path)} - {name}


def modules(name: str) -> list[Path]:
    """Return the modules of a package, or the module of that name."""
    folder = ROOT / "models" / LIBRARY if name == LIBRARY else ROOT / "specgan_cli" / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        named = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module == "specgan_cli":
            named = [f"specgan_cli.{each.name}" for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            named = [node.module or ""]
        for name in named:
            top, _, rest = name.partition(".")
            if top == LIBRARY:
                yield LIBRARY
            elif top == "specgan_cli" and rest:
                yield rest.split(".")[0]


def arrows() -> dict[str, set[str]]:
    """Return what each package imports, without what follows from the imports of those."""
    names = [name for layer in layers() for name in layer if is_folder(name)]
    direct = {name: imported(name) & set(names) for name in names}
    reached: dict[str, set[str]] = {}
    for name in reversed(names):
        reached[name] = direct[name].union(*(reached[each] for each in direct[name]))
    return {
        name: direct[name] - set().union(*(reached[each] for each in direct[name]))
        for name in names
    }


def _boxes() -> dict[str, Box]:
    rows = [layer for layer in layers() if any(map(is_folder, layer))]
    return {
        name: Box(_MIDDLE + (at - (len(layer) - 1) / 2) * (_WIDTH + 40), 40 + row * _ROW)
        for row, layer in enumerate(rows)
        for at, name in enumerate(layer)
    }


def _arrow(upper: Box, lower: Box) -> str:
    """Return the path between two packages: down, or round the side past those between."""
    if lower.y - upper.y <= _ROW:
        return f"M{upper.x:g} {upper.y + _HEIGHT / 2:g}L{lower.x:g} {lower.y - _HEIGHT / 2 - 7:g}"
    left = upper.x + lower.x <= 2 * _MIDDLE
    start, end = (upper.left, lower.left - 7) if left else (upper.right, lower.right + 7)
    reach = 40 + 0.25 * (lower.y - upper.y)
    bend = min(start, end) - reach if left else max(start, end) + reach
    return f"M{start:g} {upper.y:g}C{bend:g} {upper.y:g} {bend:g} {lower.y:g} {end:g} {lower.y:g}"


def _label(text: str, x: float, y: float, kind: str = "") -> str:
    return f'<text class="{kind}" x="{x:g}" y="{y:g}">{html.escape(text)}</text>\n'


def picture() -> str:
    """Return the drawing as SVG, which follows a preference for the dark."""
    boxes, found = _boxes(), arrows()
    bottom = max(box.y for box in boxes.values())
    parts = [f'<path d="{_arrow(boxes[a], boxes[b])}"/>\n' for a in found for b in sorted(found[a])]
    for name, box in boxes.items():
        if LIBRARY in imported(name):
            y = box.y + (8 if box.x < _MIDDLE else -4)
            parts.append(f'<path d="M{box.right:g} {y:g}L{_LIBRARY_LEFT - 7} {y:g}"/>\n')
    door, y = boxes["workflows"], boxes["workflows"].y + 9
    way = f"M{_LIBRARY_LEFT} {y:g}L{door.right + 7:g} {y:g}"
    parts.append(f'<path class="door" d="{way}"/>\n')
    for name, box in boxes.items():
        corner = f'x="{box.left:g}" y="{box.y - _HEIGHT / 2:g}"'
        parts.append(f'<rect {corner} width="{_WIDTH}" height="{_HEIGHT}" rx="4"/>\n')
        parts.append(_label(name, box.x, box.y + 5))
    parts += [_library(bottom), _tools(bottom + _ROW)]
    size = f'viewBox="0 0 800 {bottom + 2 * _ROW:g}" width="800" height="{bottom + 2 * _ROW:g}"'
    head = (
        '<marker id="head" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0L8 4L0 8z"/></marker>'
    )
    body = "".join(parts).replace("<path ", '<path marker-end="url(#head)" ')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{_STYLE}</style>\n'
        f"<defs>{head}</defs>\n{body}</svg>\n"
    )


def _library(bottom: float) -> str:
    inside = sorted(each.parent.name for each in modules(LIBRARY) if each.name == "__init__.py")
    lines = [
        LIBRARY,
        "",
        "networks",
        *(name for name in inside if name != LIBRARY),
        "",
        "api (door)",
    ]
    middle = _LIBRARY_LEFT + 75
    top = 40 - _HEIGHT / 2
    rect = f'<rect x="{_LIBRARY_LEFT}" y="{top:g}" width="150" height="{bottom - top:g}" rx="4"/>\n'
    texts = (_label(line, middle, bottom / 2 - 60 + 22 * at) for at, line in enumerate(lines))
    return rect + "".join(texts)


def _tools(y: float) -> str:
    """Return the strip of the modules that every package may use."""
    names = [name for layer in layers() for name in layer if not is_folder(name)]
    half = (len(names) + 1) // 2
    rect = f'<rect x="60" y="{y - 24:g}" width="730" height="58" rx="4"/>\n'
    lines = ("for all: " + ", ".join(names[:half]) + ",", ", ".join(names[half:]))
    return rect + "".join(_label(each, 425, y + 22 * at, "small") for at, each in enumerate(lines))
