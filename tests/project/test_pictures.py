"""The gallery's rows out of a report: the right chip, its pictures in order."""

from pathlib import Path

import numpy as np
import pytest

import pictures
from specgan_cli.evaluation.metrics.suite import Suite, Units
from specgan_cli.evaluation.report.page import render
from specgan_cli.evaluation.report.panels import Panel, Strip
from specgan_cli.evaluation.report.summary import Context
from specgan_cli.evaluation.runner import Evaluation, Pool, Row
from specgan_cli.png import data_uri


def strip(rank: str, grey: int) -> Strip:
    """Return a strip whose pictures, and one more in between, are told apart by their grey."""
    titles = ("LR input", "bicubic", "lanczos", "specgan-scene", "reference")
    panels = [
        Panel(title, data_uri(np.full((6, 6, 3), grey + at, np.uint8)))
        for at, title in enumerate(titles)
    ]
    return Strip(f"chip_{grey}", f"{rank} by PSNR", tuple(panels))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(("rank", "grey"), [("best", 10), ("median", 30), ("worst", 40)])
def test_a_row_shows_the_first_chip_of_its_rank(rank: str, grey: int, tmp_path: Path) -> None:
    units = Units(0.0, 255.0, 2)
    row = Row("chip", "g", "val", "specgan-scene", None, {"psnr": 20.0})
    evaluation = Evaluation(units, ("psnr",), ("specgan-scene",), [row])
    evaluation.pools["val", "specgan-scene"] = Pool(Suite(units, ("psnr",)))
    strips = [strip("best", 10), strip("best", 20), strip("median", 30), strip("worst", 40)]
    page = render(evaluation, Context("dataset"), strips, {})
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "index.html").write_text(page)

    image = pictures._row(tmp_path, rank)

    side = pictures.PANEL
    assert image.shape == (3, side, 4 * side + 3 * 8)
    shown = [int(image[0, 5, at * (side + 8) + 5]) for at in range(4)]
    assert shown == [grey, grey + 1, grey + 3, grey + 4]
