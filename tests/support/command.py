"""The command line in this process, as a shell sees it."""

import contextlib
import io
import json
from dataclasses import dataclass
from typing import Any

from specgan_cli.cli.main import main


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    """Its exit code."""

    stdout: str
    """Everything on stdout."""

    stderr: str
    """Everything on stderr."""

    def json(self) -> Any:
        """Return the one document on stdout."""
        return json.loads(self.stdout)


def specgan(*words: object) -> Result:
    """Run the command line through `main`, which turns errors into one line and an exit code."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            main([str(word) for word in words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
    return Result(code, stdout.getvalue(), stderr.getvalue())
