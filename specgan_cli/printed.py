"""Errors that libtiff prints and GDAL does not report, such as a full disk in its last writes."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

_PRINTED = re.compile(rb"^_?tiff\w*: (.*)$", re.IGNORECASE | re.MULTILINE)


@contextmanager
def printed_errors_raise() -> Iterator[None]:
    """Raise for what libtiff prints on the process's stderr, and pass the rest of it on.

    Raises:
        OSError: With libtiff's first words.
    """
    sys.stderr.flush()
    try:
        stderr = os.dup(2)
    except OSError:  # a service without stderr: nothing is printed
        yield
        return
    with tempfile.TemporaryFile() as printed:
        os.dup2(printed.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            printed.seek(0)
            text = printed.read()
            sys.stderr.write(_PRINTED.sub(b"", text).decode(errors="replace").lstrip("\n"))
    found = _PRINTED.search(text)
    if found:
        raise OSError(found[1].decode(errors="replace").rstrip("."))
