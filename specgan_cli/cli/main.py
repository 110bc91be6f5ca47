"""The `specgan` group: verbosity, logging, and the one place where errors become exit codes."""

import importlib
import logging
import os
import sys
from typing import Any, NoReturn

import click

from specgan._version import __version__
from specgan.errors import SpecganError

COMMANDS = {
    "prepare": "Co-register a cube to a scene, or build a training dataset.",
    "train": "Train a network on a prepared dataset.",
    "upscale": "Upscale georeferenced scenes 2 to 32 times.",
    "evaluate": "Measure outputs or weights, and write a report.",
    "models": "List, show and import weights.",
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the command names in the order of a user's work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import `specgan_cli.cli.<name>` and return its command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"specgan_cli.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the one-line summaries without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("-v", "--verbose", count=True, help="Say more on stderr; repeat for debugging.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing but errors.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(__version__, prog_name="specgan")
@click.pass_context
def cli(ctx: click.Context, verbose: int, quiet: bool, debug: bool) -> None:
    """Super-resolve georeferenced RGB scenes up to 32 times, guided by hyperspectral cubes.

    Every option can also be given as an environment variable: SPECGAN_UPSCALE_DEVICE=cpu is
    `specgan upscale --device cpu`.  Shell completion: eval "$(_SPECGAN_COMPLETE=bash_source
    specgan)".
    """
    ctx.obj = {"debug": debug, "quiet": quiet, "verbose": verbose}
    level = logging.ERROR if quiet else max(logging.DEBUG, logging.WARNING - 10 * verbose)
    logging.basicConfig(
        level=level, format="specgan: %(levelname)s: %(message)s", stream=sys.stderr, force=True
    )
    logging.captureWarnings(True)
    logging.getLogger("rasterio").setLevel(logging.DEBUG if verbose > 1 else logging.CRITICAL)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 3 inputs do not fit, 130 stopped.

    Args:
        arguments: The words after the program's name; those of the process when None.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        result = cli.main(
            words, prog_name="specgan", standalone_mode=False, auto_envvar_prefix="SPECGAN"
        )
        _flush_stdout()
        sys.exit(result if isinstance(result, int) else 0)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except BrokenPipeError:
        _close_pipe()
        sys.exit(0)
    except SpecganError as error:
        if "--debug" in words:
            raise
        _fail(str(error), error.exit_code)
    except MemoryError as error:
        if "--debug" in words:
            raise
        _fail(f"out of memory: {error or 'use a smaller --tile or --batch'}", 1)


def _fail(message: str, code: int) -> NoReturn:
    one_line = " ".join(message.split())
    print(f"specgan: error: {one_line}", file=sys.stderr)
    sys.exit(code)


def _flush_stdout() -> None:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _close_pipe()


def _close_pipe() -> None:
    """Point stdout at nothing, so that the interpreter's own flush at exit stays quiet."""
    descriptor: Any = os.open(os.devnull, os.O_WRONLY)
    os.dup2(descriptor, sys.stdout.fileno())
