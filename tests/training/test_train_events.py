"""TensorBoard's event log: what its own thread fails to write is one line in the main one."""

import time
from pathlib import Path

import pytest

from specgan_cli.errors import OutputError
from specgan_cli.training.recorder import Events


def test_an_event_log_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("tensorboard")
    events = Events(tmp_path, 0)

    def fail(*data: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path).encode())

    events._writer.file_writer.event_writer._async_writer._writer.write = fail
    with pytest.raises(OutputError, match="No space left"):
        for step in range(2000):
            events.scalars({"step": step, "loss": 1.0})
            time.sleep(0.001)
    with pytest.raises(OutputError):
        events.close()
    assert "Traceback" not in capsys.readouterr().err
