"""`--json-usage`: the command line for programs."""

import re
from pathlib import Path

import click

from specgan_cli.cli.main import COMMANDS, cli
from support.command import specgan

START = (Path(__file__).parents[2] / "docs" / "start.md").read_text()


def test_every_command_and_option_is_described() -> None:
    document = specgan("--json-usage").json()
    assert list(document["commands"]) == list(COMMANDS)
    context = click.Context(cli)
    for name, described in document["commands"].items():
        command = cli.get_command(context, name)
        assert command is not None
        real = {opt for param in command.params for opt in param.opts if opt.startswith("-")}
        assert real <= {each for option in described["options"] for each in option["names"]}


def test_an_option_has_type_default_limits_and_variable() -> None:
    done = specgan("upscale", "--json-usage")
    assert (done.code, done.stderr) == (0, "")
    options = {option["names"][-1]: option for option in done.json()["options"]}
    seed = options["--seed"]
    assert (seed["default"], seed["min"], seed["max"]) == (0, 0, 2**31 - 1)
    assert seed["variable"] == "SPECGAN_UPSCALE_SEED"
    assert options["--of"]["choices"] == ["GTiff", "COG", "VRT"]
    assert options["--co"]["repeatable"]
    assert options["--resume"]["type"] == "flag"
    assert options["--no-align"]["default"] is True


def test_exit_codes_are_those_of_the_page() -> None:
    assert set(specgan("--json-usage").json()["exit_codes"]) == set(
        re.findall(r"^\| (\d+) \|", START, re.MULTILINE)
    )


def test_a_group_describes_what_is_below_it() -> None:
    document = specgan("models", "--json-usage").json()
    assert document["command"] == "specgan models"
    assert "export" in document["commands"]
