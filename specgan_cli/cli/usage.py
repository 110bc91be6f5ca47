"""The whole command line as one JSON document, for programs that call it."""

import json
from typing import Any

import click

from specgan._version import __version__

EXIT_CODES = {
    "0": "done",
    "1": "failed; the last line on stderr says what, where, and what to do",
    "2": "wrong usage",
    "3": "the inputs do not fit together: no overlap, no reliable alignment",
    "130": "interrupted (Ctrl-C); --resume goes on",
    "143": "terminated (SIGTERM); --resume goes on",
}
"""What an exit code means."""


def describe(command: click.Command, ctx: click.Context) -> dict[str, Any]:
    """Return what there is to know of a command: options, types, defaults, variables, exit codes.

    Args:
        command: A command, or the group of all.
        ctx: Its context.
    """
    words = ctx.command_path.split()
    return {
        "version": __version__,
        "exit_codes": EXIT_CODES,
        **_command(command.to_info_dict(ctx), words),
    }


def usage_option() -> click.Option:
    """Return the option that describes a command, and those below it, and runs nothing."""
    return click.Option(
        ["--json-usage"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=_show,
        help="Describe the command as JSON, for programs, and exit.",
    )


def _show(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        click.echo(json.dumps(describe(ctx.command, ctx), indent=2, default=str))
        ctx.exit()


def _command(info: dict[str, Any], words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "command": " ".join(words),
        "help": info["help"],
        "arguments": [_argument(p) for p in info["params"] if p["param_type_name"] == "argument"],
        "options": [
            _option(p, words)
            for p in info["params"]
            if p["param_type_name"] == "option" and "--help" not in p["opts"]
        ],
    }
    if "commands" in info:
        children = info["commands"].items()
        found["commands"] = {name: _command(child, [*words, name]) for name, child in children}
    return found


def _argument(info: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": info["name"],
        "required": info["required"],
        "several": info["nargs"] != 1,
        "type": info["type"]["name"],
    }


def _option(info: dict[str, Any], words: list[str]) -> dict[str, Any]:
    kind = info["type"]
    found = {
        "names": [*info["opts"], *info["secondary_opts"]],
        "help": info["help"],
        "type": "flag" if info["is_flag"] else kind["name"],
        "required": info["required"],
        "repeatable": info["multiple"],
        "default": info["default"],
        "variable": "_".join([*words, info["name"]]).upper().replace("-", "_"),
    }
    limits = {key: kind[key] for key in ("choices", "min", "max") if kind.get(key) is not None}
    return found | limits
