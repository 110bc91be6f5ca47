"""What commands show, on a terminal and elsewhere, loud and quiet."""

import io
import re
import sys
from collections.abc import Iterator

import click
import pytest

from specgan_cli.cli.console import Progress, write_table
from specgan_cli.cli.logs import set_up_logging
from support.command import specgan


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


@pytest.fixture(params=[False, True])
def quiet(request: pytest.FixtureRequest) -> Iterator[bool]:
    with click.Context(click.Command("specgan"), obj={"quiet": request.param}):
        yield request.param


def test_progress_is_drawn_on_a_terminal_unless_quiet(
    monkeypatch: pytest.MonkeyPatch, quiet: bool
) -> None:
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    with Progress("tile") as progress:
        for done in range(5):
            progress("reading", done, 4)
        progress("writing", 1, None, "l1 0.1")
    drawn = stream.getvalue()
    assert ("reading: " in drawn, "writing: " in drawn) == (not quiet, not quiet)


def test_progress_is_not_drawn_elsewhere(capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    with Progress() as progress:
        progress("reading", 1, 2)
    assert capsys.readouterr().err == ""


def test_progress_off_a_terminal_is_a_dated_line_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logging({})
    with click.Context(click.Command("specgan"), obj={}):
        with Progress("tile", every=0) as progress:
            for done in (0, 5, 10):
                progress("tiles", done, 20)
        with Progress("tile", every=1e9) as progress:
            for done in (0, 5, 10):
                progress("tiles", done, 20)
    lines = capsys.readouterr().err.splitlines()
    assert [re.sub("about.*left", "left", line.split(" ", 1)[1]) for line in lines] == [
        "specgan: tiles: 5 of 20 (25%), left",
        "specgan: tiles: 10 of 20 (50%), left",
    ]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]", lines[0])


def test_the_next_scene_is_timed_from_its_own_beginning(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging({})
    clock = iter((0.0, 3600.0, 3610.0, 3630.0))
    monkeypatch.setattr("specgan_cli.cli.console.time.monotonic", lambda: next(clock))
    with click.Context(click.Command("specgan"), obj={}):
        with Progress("tile", every=15) as progress:
            for done in (1, 16, 1, 3):
                progress("tiles", done, 16)
    assert "tiles: 3 of 16 (19%), about 2 min left" in capsys.readouterr().err


def test_tables_have_tabs_off_a_terminal_and_columns_on_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(("name", "size"), [("a", "1 MB"), ("long", "20 MB")])
    assert capsys.readouterr().out == "a\t1 MB\nlong\t20 MB\n"
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    write_table(("name", "size"), [("a", "1 MB"), ("long", "20 MB")])
    plain = re.sub(r"\x1b\[\d*m", "", stream.getvalue())
    lines = [line.rstrip() for line in plain.splitlines()]
    assert lines == ["name  size", "a     1 MB", "long  20 MB"]


@pytest.mark.parametrize("words", [("--json",), ()])
def test_quiet_keeps_json_and_drops_summaries(words: tuple[str, ...]) -> None:
    command = ("prepare", "sample_data/scene.tif", "--hsi", "sample_data/cube.tif", "--dry-run")
    loud, quiet = specgan(*command, *words), specgan("-q", *command, *words)
    assert loud.code == quiet.code == 0
    assert loud.stdout
    assert quiet.stdout == (loud.stdout if words else "")
