"""What macOS and Windows lack, taken away from this process; to be used in one of its own."""

import os
import pathlib
import signal
import sys
from typing import Any

LINUX = ("sched_getaffinity", "posix_fallocate", "fdatasync", "sync_file_range")
POSIX = (
    *(*LINUX, "sysconf", "getuid", "geteuid", "pread", "pwrite", "fork", "O_NOFOLLOW"),
    *("fchmod", "fchown", "getloadavg", "killpg", "setsid", "mkfifo"),
)
MODULES = ("fcntl", "resource", "termios", "pwd", "grp", "pty", "tty", "syslog", "posix")
"""Modules that Windows has not, but for the last, which is that of `os`."""
SIGNALS = ("SIGHUP", "SIGKILL", "SIGUSR1", "SIGUSR2", "SIGALRM", "SIGCHLD", "SIGPIPE")


def pretend(name: str) -> None:
    """Take away what a system does not have.

    Args:
        name: "macos" or "windows".
    """
    for attribute in LINUX if name == "macos" else POSIX:
        if hasattr(os, attribute):
            delattr(os, attribute)
    _hide_tables()
    if name == "macos":
        os.sysconf = _sysconf
        return
    for module in MODULES[:-1]:
        sys.modules[module] = None  # type: ignore[assignment]  # an import then fails
    for number in SIGNALS:
        delattr(signal, number)
    _keep_open_files()


def _sysconf(name: str | int) -> int:
    raise ValueError(f"unrecognized configuration name {name}")


def _hide_tables() -> None:
    """There is neither /proc nor /sys."""
    real = pathlib.Path.read_text

    def read_text(self: pathlib.Path, *rest: Any, **named: Any) -> str:
        if str(self).startswith(("/proc", "/sys")):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return real(self, *rest, **named)

    pathlib.Path.read_text = read_text  # type: ignore[method-assign]  # on purpose


def _keep_open_files() -> None:
    """A file that is open is neither renamed, nor replaced, nor removed."""
    replace, unlink = pathlib.Path.replace, pathlib.Path.unlink

    def check(*paths: Any) -> None:
        wanted = {os.path.realpath(path) for path in paths}
        for descriptor in os.listdir("/proc/self/fd"):
            try:
                found = os.readlink(f"/proc/self/fd/{descriptor}")
            except OSError:
                continue
            if found in wanted:
                raise PermissionError(13, "The process cannot access the file", found)

    def checked_replace(self: pathlib.Path, target: Any) -> pathlib.Path:
        check(self, target)
        return replace(self, target)

    def checked_unlink(self: pathlib.Path, *rest: Any, **named: Any) -> None:
        check(self)
        unlink(self, *rest, **named)

    pathlib.Path.replace = checked_replace  # type: ignore[method-assign]  # on purpose
    pathlib.Path.unlink = checked_unlink  # type: ignore[method-assign]  # on purpose
