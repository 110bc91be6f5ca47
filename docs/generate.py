"""Write the pages that follow from the code: options, Python names and messages.

`options.md` comes from Click, `api.md` from docstrings, `messages.md` from the errors raised,
`gallery.md` from the list in `pictures.py`, the picture of `architecture.md` from the imports.
Run `python docs/generate.py`; a test compares what it writes with what is committed.
"""

import dataclasses
import inspect
from collections.abc import Iterator
from pathlib import Path

import click

import architecture
import specgan
from message_texts import KINDS, messages
from pictures import GALLERY, GROUND
from specgan_cli.cli.main import COMMANDS, cli

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py; change the code, then run it again. -->\n"


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command that does something, with the words that call it."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if isinstance(command, click.Group):
            for child in command.list_commands(context):
                found = command.get_command(context, child)
                if found is not None:
                    yield f"{name} {child}", found
        elif command is not None:
            yield name, command


def _cell(text: str) -> str:
    """Return text that a table's cell shows as it stands."""
    return " ".join(text.split()).replace("|", "\\|")


def _row(option: click.Option, command: click.Command) -> str:
    """Return the row of one option: names and value as --help shows them, then its help."""
    shown = option.get_help_record(click.Context(command))
    if shown is None:
        return ""
    names, text = shown
    return f"| `{_cell(names)}` | {_cell(text)} |\n"


def _table(command: click.Command) -> str:
    rows = [_row(each, command) for each in command.params if isinstance(each, click.Option)]
    return "| option | meaning |\n|---|---|\n" + "".join(rows) if any(rows) else "No options.\n"


def options_page() -> str:
    """Return the page of every option of every command."""
    parts = [
        NOTE,
        "# Options\n",
        "The options of every command, as `--help` shows them. Each can be set in the environment: "
        "`SPECGAN_UPSCALE_DEVICE=cpu` is `specgan upscale --device cpu`.\n",
        "## specgan\n",
        _table(cli),
    ]
    for name, command in commands():
        summary = _cell((command.help or "").split("\n\n")[0])
        parts += [f"## specgan {name}\n", f"{summary}\n", _table(command)]
    return "\n".join(parts)


def _docstring(thing: object) -> str:
    """Return a docstring in a fence: it is laid out for reading as plain text."""
    return f"```text\n{inspect.getdoc(thing) or ''}\n```\n"


def _signature(name: str, thing: object) -> str:
    """Return the call, one argument a line; annotations read differently from Python to Python."""
    if not callable(thing) or (inspect.isclass(thing) and not dataclasses.is_dataclass(thing)):
        return ""
    rows: list[str] = []
    for each in inspect.signature(thing).parameters.values():
        if each.kind is each.KEYWORD_ONLY and "    *,\n" not in rows:
            rows.append("    *,\n")
        rows.append(f"    {each.replace(annotation=each.empty)},\n")
    return f"```text\nspecgan.{name}(\n{''.join(rows)})\n```\n\n"


def public_names() -> list[str]:
    """Return what `import specgan` offers, without the version."""
    return [name for name in specgan.__all__ if not name.startswith("__")]


def api_page() -> str:
    """Return the page of every public name."""
    parts = [
        NOTE,
        "# Python reference\n",
        "Every name of `import specgan`. [From Python](python.md) shows them at work.\n",
    ]
    for name in public_names():
        thing = getattr(specgan, name)
        parts += [f"## {name}\n", _signature(name, thing) + _docstring(thing)]
    return "\n".join(parts)


def messages_page() -> str:
    """Return the page of every message, by what went wrong."""
    parts = [
        NOTE,
        "# Messages\n",
        "What specgan says when it stops, by what went wrong; an ellipsis stands for a name or a "
        "number. A message ends with what to do next; [Troubleshooting](troubleshooting.md) says "
        "more. `specgan --debug ...` adds the traceback.\n",
    ]
    for kind, texts in messages().items():
        lines = "\n".join(sorted(texts))
        parts += [f"## {KINDS[kind]}\n", f"```text\n{lines}\n```\n"] if texts else []
    return "\n".join(parts)


def gallery_page() -> str:
    """Return the page of every picture, each under its command."""
    parts = [
        NOTE,
        "# Gallery\n",
        "## Real ground that trained nothing\n",
        "Validation chips, chosen by rank: the best, the median and the worst of each ground by "
        "the first judge's distance as a share of bicubic's, which stands beside the LR pixel. "
        "The upper three are UC Merced Land Use (U.S. Geological Survey), without a guide; the "
        "lower three NAIP (USDA), guided by their own four bands at four times the truth's pixel, "
        "which at x8 and x32 is finer than the LR pixel. All figures stand in the model card, "
        "`models/specgan/weights/specgan-scene.md`; `python benchmarks/ground.py` draws these.\n",
        *(f"### x{scale}\n\n![x{scale}](pictures/ground_x{scale}.jpg)\n" for scale in GROUND),
        "## The sample scene\n",
        "The sample scene is simulated, and the shipped weights drew it. "
        "Of `upscale`, from the left: scene, "
        "bicubic enlargement, output; the part is the one with most contrast, unless a window is "
        "given. Good, median and bad are chosen by their rank in a report, and show: input, "
        "bicubic, output, truth. `python docs/pictures.py` makes all of them again.\n",
    ]
    for name, picture in GALLERY.items():
        lines = "".join(f"    {command}\n" for command in picture.commands)
        shown = f"![{picture.title}](pictures/{name}.jpg)\n"
        parts += [f"### {picture.title}\n", lines, shown]
    return "\n".join(parts)


PAGES = {
    "options.md": options_page,
    "api.md": api_page,
    "messages.md": messages_page,
    "gallery.md": gallery_page,
    "pictures/architecture.svg": architecture.picture,
}


def main() -> None:
    """Write every generated page."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
