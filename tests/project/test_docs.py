"""The pages of docs/: generated ones are up to date, links and commands are real."""

import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

import generate
import specgan
from pictures import GALLERY
from specgan_cli.cli.main import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))


@pytest.mark.parametrize("name", generate.PAGES)
def test_generated_page_is_what_the_code_says(name: str) -> None:
    assert (DOCS / name).read_text() == generate.PAGES[name](), "run: python docs/generate.py"


def test_every_option_has_help_and_stands_on_the_page() -> None:
    page = (DOCS / "options.md").read_text()
    for name, command in [("", cli), *generate.commands()]:
        section = page.split(f"## specgan {name}".strip() + "\n")[1].split("\n## ")[0]
        for option in command.params:
            if isinstance(option, click.Option):
                assert option.help, (name, option.name)
                assert not option.hidden, (name, option.name)
                assert all(opt in section for opt in option.opts), (name, option.name)


def test_every_public_name_is_documented() -> None:
    page = (DOCS / "api.md").read_text()
    for name in generate.public_names():
        assert inspect.getdoc(getattr(specgan, name)), name
        assert f"\n## {name}\n" in page


def test_messages_that_a_user_meets_are_on_their_page() -> None:
    """Found by hand in the code: plain, in an f-string, and one of usage."""
    page = (DOCS / "messages.md").read_text()
    for text in ("…: no such file", "…: is a folder; give a raster file", "h5py; install it"):
        assert text in page
    assert all(generate.messages().values())


def test_the_gallery_is_there_and_small() -> None:
    pictures = {path.stem: path.stat().st_size for path in (DOCS / "pictures").glob("*.jpg")}
    assert set(pictures) == set(GALLERY)
    assert len(pictures) >= 16
    assert sum(pictures.values()) < 2_000_000


def command_lines(page: Path) -> list[str]:
    """Return the lines of indented and fenced blocks that call specgan."""
    lines = re.findall(r"^(?: {4})?(specgan [a-z].*)$", page.read_text(), flags=re.MULTILINE)
    # Signatures and prose are no commands: what follows is the name of one.
    known = set(cli.list_commands(click.Context(cli)))
    return [line for line in lines if line.split()[1] in known]


COMMAND_LINES = [line for page in PAGES for line in command_lines(page)]


def test_the_pages_show_commands() -> None:
    assert len(COMMAND_LINES) >= 5


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_commands_of_the_pages_exist(line: str) -> None:
    """Data that is not there is a usage error; an option or command that is not, another."""
    words = shlex.split(line)[1:]
    command: click.Command | None = cli
    context = click.Context(cli, info_name="specgan")
    while isinstance(command, click.Group):
        command = command.get_command(context, words.pop(0))
    assert command is not None, line
    # Split only: the files that a page names need not be there.
    command.make_parser(click.Context(command, parent=context)).parse_args(args=words)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if not target.startswith("https://"):
            path, _, anchor = target.partition("#")
            other = page.parent / path if path else page
            assert other.exists(), target
            assert not anchor or anchor in anchors(other), target


def test_every_page_stands_in_the_site() -> None:
    navigation = re.findall(r": ([\w-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(navigation) == [page.name for page in PAGES]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "options" / "index.html").exists()
