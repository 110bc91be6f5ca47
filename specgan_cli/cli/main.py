"""The `specgan` group: verbosity, logging, and the one place where errors become exit codes."""

import atexit
import gc
import importlib
import io
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

import click

from specgan._version import __version__
from specgan_cli.cli.logs import passing_over_undecodable, set_up_logging, tell, watching_options
from specgan_cli.cli.streams import name_stdout
from specgan_cli.cli.usage import usage_option
from specgan_cli.errors import explain
from specgan_cli.redaction import redact_words

COMMANDS = {
    "prepare": "Co-register a cube to a scene, or build a training dataset.",
    "train": "Train a network on a prepared dataset.",
    "upscale": "Upscale georeferenced scenes 2 to 32 times.",
    "evaluate": "Measure outputs or weights, and write a report.",
    "models": "List, show and import weights.",
    "doctor": "Say what is installed, and what is missing.",
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
        _add_watching(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the one-line summaries without importing any command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def _add_watching(command: click.Command) -> None:
    """Let a command, and those below it, take -v, -q, --debug, --log-... and --json-usage too."""
    below = command.commands.values() if isinstance(command, click.Group) else ()
    for child in (command, *below):
        if not any(option.name == "log_file" for option in child.params):
            child.params += [*watching_options(), usage_option()]


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    params=[*watching_options(), usage_option()],
)
@click.version_option(__version__, prog_name="specgan")
@click.pass_obj
def cli(state: dict[str, Any]) -> None:
    """Super-resolve georeferenced RGB scenes up to 32 times, guided by hyperspectral cubes.

    Every option can also be given as an environment variable: SPECGAN_UPSCALE_DEVICE=cpu is
    `specgan upscale --device cpu`.  Shell completion: eval "$(_SPECGAN_COMPLETE=bash_source
    specgan)".
    """
    set_up_logging(state)


class Terminated(KeyboardInterrupt):
    """SIGTERM asked the process to end."""


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 done, 1 failed, 2 usage, 3 inputs do not fit, 130 stopped.

    SIGTERM exits with 143.

    Args:
        arguments: The words after the program's name; those of the process when None.
    """
    # At its end Python looks three times for cycles among all objects of torch and Dask, for half a
    # second of a processor and for many on a busy machine; nothing is lost when it finds none.
    atexit.register(gc.freeze)
    _open_standard_streams()
    name_stdout()
    words = sys.argv[1:] if arguments is None else arguments
    state: dict[str, Any] = {}
    set_up_logging(state)
    try:
        with _terminable(), passing_over_undecodable():
            result = cli.main(
                words,
                prog_name="specgan",
                standalone_mode=False,
                auto_envvar_prefix="SPECGAN",
                obj=state,
            )
        sys.stdout.flush()
        sys.exit(result if isinstance(result, int) else 0)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)
        print(redact_words(shown.getvalue()), end="", file=sys.stderr)
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        if isinstance(error.__cause__ or error, Terminated):  # click makes it an Abort
            _fail(state, "terminated", 143)
        _fail(state, "interrupted", 130)
    except BrokenPipeError:  # nobody reads on, as behind `| head`: click's code, and as quiet
        _close_stdout()
        sys.exit(1)
    except Exception as error:
        if state.get("debug"):
            raise
        _close_stdout()
        _fail(state, *explain(error))


def _open_standard_streams() -> None:
    """Point what a daemon closed of stdin, stdout and stderr at nothing.

    The next file that is opened would get its number, and what libraries print would go into it.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8"))


@contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does; a second one ends the process at once."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        signal.signal(number, signal.SIG_DFL)
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    old = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)


def _fail(state: dict[str, Any], message: str, code: int) -> NoReturn:
    one_line = redact_words(" ".join(message.split()))
    if state.get("log_format") != "json":
        print(f"specgan: error: {one_line}", file=sys.stderr)
    tell(logging.ERROR, "failed", one_line, shown=True, exit_code=code)
    sys.exit(code)


def _close_stdout() -> None:
    """Point a stdout that takes no more at nothing, so that Python's flush at exit is quiet."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
