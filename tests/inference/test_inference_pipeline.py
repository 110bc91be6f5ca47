"""The pipeline's threads: order, bounds and failures."""

import threading
import time

import numpy as np
import pytest

from specgan_cli.inference.pipeline import batches, run_pipeline
from specgan_cli.inference.reader import TileInput, TileResult
from specgan_cli.raster.grid import Window

WINDOWS = [Window(row, 0, 2, 2) for row in range(0, 40, 2)]
PATIENCE = 60.0
"""Seconds after which a thread that should have been heard of is given up."""


def read(window: Window) -> TileInput:
    values = np.full((3, 2, 2), window.row, np.float32)
    return TileInput(window, values, values, np.ones((2, 2), bool), None, None)


def predict(tiles: list[TileInput]) -> list[TileResult]:
    return [TileResult(tile.window, tile.lr_values, tile.lr_valid) for tile in tiles]


def slowly(tiles: list[TileInput]) -> list[TileResult]:
    time.sleep(0.01)
    return predict(tiles)


@pytest.mark.parametrize("predictors", [[predict], [slowly, predict], [predict, slowly, predict]])
@pytest.mark.parametrize("batch", [1, 3])
def test_results_are_written_in_the_order_of_the_tiles(predictors: list, batch: int) -> None:
    written: list[int] = []
    run_pipeline(WINDOWS, read, predictors, lambda r: written.append(r.window.row), batch=batch)
    assert written == [window.row for window in WINDOWS]


@pytest.mark.parametrize("part", ["read", "predict", "other device", "write"])
def test_a_failure_of_any_part_ends_all(part: str) -> None:
    def fail(*_: object) -> list[TileResult]:
        raise OSError(part)

    before = threading.active_count()
    with pytest.raises(OSError, match=part):
        run_pipeline(
            WINDOWS,
            fail if part == "read" else read,
            [fail if part == "predict" else slowly, fail if part == "other device" else slowly],
            fail if part == "write" else lambda _: None,
        )
    assert threading.active_count() == before


@pytest.mark.parametrize("part", ["predict", "write"])
def test_nothing_is_written_after_a_failure(part: str) -> None:
    written: list[int] = []

    def failing(tiles: list[TileInput]) -> list[TileResult]:
        if part == "predict" and tiles[0].window.row == 6:
            raise OSError(part)
        return predict(tiles)

    def write(result: TileResult) -> None:
        if part == "write" and result.window.row == 6:
            raise OSError(part)
        written.append(result.window.row)

    with pytest.raises(OSError, match=part):
        run_pipeline(WINDOWS, read, [failing, failing], write)
    assert written == [0, 2, 4]


def test_an_interrupt_ends_all() -> None:
    def interrupt(_: list[TileInput]) -> list[TileResult]:
        raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(WINDOWS, read, [interrupt], lambda _: None)
    assert threading.active_count() == before


def test_the_reader_does_not_run_away_from_a_slow_writer() -> None:
    lead: list[int] = []
    started, written = [], []

    def count(window: Window) -> TileInput:
        started.append(window)
        lead.append(len(started) - len(written))
        return read(window)

    def write(result: TileResult) -> None:
        time.sleep(0.005)
        written.append(result)

    run_pipeline(WINDOWS, count, [predict], write, ahead=2)
    assert max(lead) <= 6


def test_reader_network_and_writer_work_at_the_same_time() -> None:
    """The first tile is not written before the second is computed, nor that before a third is read.

    An order that only threads side by side can keep.
    """
    first, second, third = WINDOWS[:3]
    was_read, was_computed = threading.Event(), threading.Event()

    def reads(window: Window) -> TileInput:
        if window == third:
            was_read.set()
        return read(window)

    def predicts(tiles: list[TileInput]) -> list[TileResult]:
        if tiles[0].window == second:
            assert was_read.wait(PATIENCE)
            was_computed.set()
        return predict(tiles)

    def writes(result: TileResult) -> None:
        assert result.window != first or was_computed.wait(PATIENCE)

    run_pipeline(WINDOWS, reads, [predicts], writes)


def test_nothing_to_do_is_done() -> None:
    run_pipeline([], read, [predict], lambda _: None)


def test_batches_hold_neighbours_of_one_shape_and_parity() -> None:
    shapes = [(2, 2), (2, 2), (2, 2), (2, 1), (2, 2)]
    windows = [Window(0, 2 * i, *shape) for i, shape in enumerate(shapes)]
    windows += [Window(0, 11, 2, 2), Window(0, 13, 2, 2), Window(1, 15, 2, 2)]
    groups = [[w.col for w in group] for group in batches(windows, 2)]
    assert groups == [[0, 2], [4], [6], [8], [11, 13], [15]]
