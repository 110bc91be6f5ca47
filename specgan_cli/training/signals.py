"""SIGTERM and SIGINT as a wish to stop at the end of the step."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

EXIT_CODES = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""What a shell reports for a process that these signals ended."""


@dataclass
class StopRequest:
    """Set by a signal, read by the loop."""

    code: int = 0
    """Exit code of the first signal; 0 for none."""


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Catch SIGTERM and SIGINT inside the block; a second SIGINT interrupts at once.

    Outside the main thread, where Python takes no handlers, nothing is caught.
    """
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        if request.code and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.code = request.code or EXIT_CODES[signal.Signals(number)]

    old = {}
    try:
        for number in EXIT_CODES:
            old[number] = signal.signal(number, note)
    except ValueError:
        pass
    try:
        yield request
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
