"""GDAL's complaints of creation options, which it else only logs and then ignores."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from specgan_cli.errors import OutputError


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if "creation option" in message:
            self.messages.append(message.split(" in ", 1)[-1])


@contextmanager
def strict_options() -> Iterator[None]:
    """Raise for creation options that GDAL does not know, or not with this value.

    Raises:
        OutputError: With GDAL's words.
    """
    collector, log = _Collector(), logging.getLogger("rasterio._env")
    level, propagate = log.level, log.propagate
    log.addHandler(collector)
    log.setLevel(logging.WARNING)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(collector)
        log.setLevel(level)
        log.propagate = propagate
    if collector.messages:
        raise OutputError(f"--co: {collector.messages[0].rstrip('.')}; see GDAL's driver page")
