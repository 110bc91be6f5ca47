"""README and the pages of docs/: generated ones are up to date, links and commands are real."""

import ast
import inspect
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

import architecture
import generate
import message_texts
import specgan
from pictures import GALLERY, GROUND
from specgan_cli.cli.main import cli
from specgan_cli.datasets.building.pairs import COLUMNS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


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
    """Found by hand in the code: plain, formatted, of usage, made by helpers, and a warning."""
    page = (DOCS / "messages.md").read_text()
    for text in (
        *("…: no such file", "…: is a folder; give a raster file", "h5py; install it"),
        *("… cannot be aligned with …: reliability …", "…: has a palette; expand it first"),
        *("or lists or folders of pairs", "out of memory: …", "…: columns … are not used"),
    ):
        assert text in page
    assert all(message_texts.messages().values())


RELAYED = {"RasterError(f'{redact(str(path))}: {error}')", "WeightsError(f'{path}: {error}')"}
RELAYED |= {"TrainingError(str(error))"}
"""Errors that say what another said, which has its own place on the page."""


def named_errors(trees: Sequence[ast.Module]) -> set[str]:
    """Return the names of the classes that come from the root of expected errors."""
    classes = [n for tree in trees for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    found, before = {"SpecganError"}, set()
    while found != before:
        before = set(found)
        found |= {each.name for each in classes if found & {*map(ast.unparse, each.bases)}}
    return found


def test_no_error_is_raised_without_words_on_the_page() -> None:
    """Counted from `raise` and the classes of errors, not from the groups of the page."""
    trees = list(message_texts.modules().values())
    errors = named_errors(trees) | {"UsageError", "BadParameter"}
    told = {call for call, _, texts in message_texts.said(trees) if texts}
    raised = [
        node.exc
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and ast.unparse(node.exc.func).split(".")[-1] in errors
    ]
    assert len(raised) > 200
    assert {ast.unparse(call) for call in raised if call not in told} == RELAYED


def test_the_picture_has_every_package_and_no_arrow_up() -> None:
    order = [name for layer in architecture.layers() for name in layer]
    drawn = architecture.arrows()
    folders = {path.parent.name for path in (ROOT / "specgan_cli").glob("*/__init__.py")}
    assert set(drawn) == folders
    assert {"evaluation", "training"} <= drawn["workflows"]
    assert "raster" not in drawn["workflows"], "follows from what lies between"
    for name, below in drawn.items():
        assert all(order.index(name) < order.index(each) for each in below)
    assert all(f">{name}</text>" in architecture.picture() for name in folders)


def test_the_gallery_is_there_and_small() -> None:
    pictures = {path.stem: path.stat().st_size for path in (DOCS / "pictures").glob("*.jpg")}
    assert set(pictures) == {*GALLERY, *(f"ground_x{scale}" for scale in GROUND)}
    assert len(pictures) >= 16
    assert {"best", "median", "worst", "page"} <= {each.rank for each in GALLERY.values()}
    assert sum(pictures.values()) < 3_000_000


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


def test_options_that_the_pages_name_exist() -> None:
    known = {
        name
        for _, command in generate.commands()
        for each in command.params
        for name in (*each.opts, *each.secondary_opts)
    }
    known |= {name for each in cli.params for name in each.opts}
    foreign = {"--format", "--ntasks", "--nthreads", "--nworkers"}  # of Slurm and Dask
    foreign |= {"--help", "--extra-index-url", "--nproc-per-node", "--no-deps"}
    for page in PAGES:
        named = set(re.findall(r"`[^`\n]*?(--[a-z][a-z-]+)", page.read_text()))
        assert named - known - foreign == set(), page.name


def test_troubleshooting_has_every_group_of_messages() -> None:
    titles = re.findall(r"^## (.*)$", (DOCS / "troubleshooting.md").read_text(), re.MULTILINE)
    assert [title for title in message_texts.KINDS.values() if title not in titles] == []


def test_prepare_explains_every_column() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (DOCS / "prepare.md").read_text(), re.MULTILINE)
    assert set(COLUMNS) <= set(rows)


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
    assert sorted(navigation) == [page.name for page in PAGES if page.parent == DOCS]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(tmp_path)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert (tmp_path / "options" / "index.html").exists()
