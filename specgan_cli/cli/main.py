"""The `specgan` group: verbosity, logging, and the one place where errors become exit codes."""

import importlib
import logging
import os
import sys
from typing import NoReturn

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
    debug = "--debug" in words
    try:
        result = cli.main(
            words, prog_name="specgan", standalone_mode=False, auto_envvar_prefix="SPECGAN"
        )
        sys.stdout.flush()
        sys.exit(result if isinstance(result, int) else 0)
    except click.ClickException as error:
        error.show(sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except BrokenPipeError:
        _close_stdout()
        sys.exit(0)
    except Exception as error:
        if debug:
            raise
        _close_stdout()
        _fail(*_explain(error))


def _explain(error: Exception) -> tuple[str, int]:
    """Return what to say of an error, and the exit code; what nobody foresaw asks for a report."""
    if isinstance(error, SpecganError):
        return str(error), error.exit_code
    if isinstance(error, MemoryError):
        return f"out of memory: {error or 'use a smaller --tile or --batch'}", 1
    if isinstance(error, OSError) and error.errno is not None:
        where = "" if error.filename is None else f"{error.filename}: "
        return f"{where}{error.strerror or error}", 1
    return (
        f"unexpected {type(error).__name__}: {error}; please report this, with what the same "
        "command says under `specgan --debug`"
    ), 1


def _fail(message: str, code: int) -> NoReturn:
    one_line = " ".join(message.split())
    print(f"specgan: error: {one_line}", file=sys.stderr)
    sys.exit(code)


def _close_stdout() -> None:
    """Point a stdout that takes no more at nothing, so that Python's flush at exit is quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
