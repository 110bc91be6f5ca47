"""The `prepare` command: co-register a cube to a scene, or build a training dataset."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from specgan_cli.cli import options
from specgan_cli.cli.console import Progress, say, write_json
from specgan_cli.cli.options.cubes import add_cube_options, align_options, cube_options
from specgan_cli.cli.options.prepare import (
    DatasetOption,
    OneSceneOption,
    add_dataset_options,
    add_one_scene_options,
)
from specgan_cli.errors import DatasetError

if TYPE_CHECKING:
    from specgan_cli.workflows.prepare_dataset import DatasetOptions

EPILOG = """\b
Examples:
  specgan prepare scene.tif --hsi cube.tif -o aligned.tif
  specgan prepare scene.tif --hsi cube.tif --dry-run --quicklook look.png
  specgan prepare pairs.csv -o dataset/ -x 32
  specgan prepare rgb/ --hsi-dir hsi/ -o dataset/ --split-by blocks --guard 20
  specgan prepare chips/ --assume-gsd 0.3 -o dataset/ -j 4
  specgan prepare --check dataset/
"""


@click.command(epilog=EPILOG)
@click.argument("inputs", nargs=-1, metavar="RGB|PAIRS...")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The raster, or the dataset folder."
)
@click.option("--hsi", metavar="CUBE", help="Bring this cube onto the grid of the one scene named.")
@options.bands
@options.src_nodata
@add_cube_options
@add_one_scene_options
@add_dataset_options
@options.jobs
@options.overwrite
@options.dry_run
@options.json_output
@click.pass_context
def prepare(ctx: click.Context, /, inputs: tuple[str, ...], **given: Any) -> None:
    """Bring a cube onto a scene's grid, or make a training dataset.

    With --hsi, the cube is aligned to the scene RGB and written on its grid.  Without, PAIRS make a
    dataset: CSV lists (columns rgb, hsi, group, split, label, gsd, hsi_kind, wavelengths,
    hsi_scale, hsi_gsd, nodata, bands; only rgb is needed), folders of images, single images, or
    folders that hold train|valid|test with RGBHR and HSI.
    """
    _check_usage(ctx, inputs, given)
    if given["check"]:
        _check(inputs, given["as_json"])
    elif given["hsi"] is not None:
        _align(inputs[0], given)
    else:
        _dataset(inputs, given)


def _check_usage(ctx: click.Context, inputs: tuple[str, ...], given: dict[str, Any]) -> None:
    if not inputs:
        raise click.UsageError("name an RGB scene with --hsi, or lists or folders of pairs")
    one = given["hsi"] is not None
    if one and len(inputs) > 1:
        raise click.UsageError(f"--hsi goes with one scene, but {len(inputs)} are named")
    if given["output"] is None and not given["check"] and not given["dry_run"]:
        raise click.UsageError("name the output with -o")
    other = DatasetOption if one else OneSceneOption
    for option in ctx.command.params:
        source = ctx.get_parameter_source(option.name or "")
        if isinstance(option, other) and source is ParameterSource.COMMANDLINE:
            belongs = "datasets, not to one scene" if one else "one scene"
            raise click.UsageError(f"{option.opts[-1]} belongs to {belongs} with --hsi")
    if given["overlap"] >= given["chip"]:
        raise click.UsageError(f"--overlap {given['overlap']} must be less than --chip")
    if given["val"] + given["test"] >= 1:
        raise click.UsageError("--val and --test leave nothing to train")
    options.check_area(given)
    if given["rgb_range"] and given["rgb_range"][0] >= given["rgb_range"][1]:
        raise click.UsageError("--rgb-range takes the lower value first")


def _align(scene: str, given: dict[str, Any]) -> None:
    """Bring one cube onto one scene's grid."""
    from specgan_cli.workflows.prepare_raster import AlignedCubeOptions, align_cube

    chosen = options.from_options(
        AlignedCubeOptions, given, cube=cube_options(given), alignment=align_options(given)
    )
    with Progress() as progress:
        report = align_cube(
            scene,
            given["hsi"],
            given["output"],
            options=chosen,
            dry_run=given["dry_run"],
            quicklook=given["quicklook"],
            overwrite=given["overwrite"],
            progress=progress,
        )
    _show(report, _aligned_lines(report), given)


def _aligned_lines(report: dict[str, Any]) -> list[str]:
    found = report["alignment"]
    (x, y), (rows, columns) = found["shift_xy"], report["shape_yx"]
    lines = ["the georeference of the cube is trusted"]
    if found["estimated"]:
        lines = [
            f"the cube is displaced by {x:.3f} m east, {y:.3f} m north; "
            f"reliability {found['reliability']:.4f}, correlation "
            f"{found['correlation_before']:.3f} before and {found['correlation']:.3f} after"
        ]
    lines.append(f"{report['mean_coverage']:.0%} of the wanted wavelengths are measured")
    if report["output"] is not None:
        verb = "would hold" if report["dry_run"] else "holds"
        lines.append(f"{report['output']} {verb} {report['bands']} x {rows} x {columns} values")
    return lines


def _dataset(inputs: tuple[str, ...], given: dict[str, Any]) -> None:
    """Make a dataset."""
    from specgan_cli.datasets.building.pairs import read_pairs
    from specgan_cli.workflows.prepare_dataset import prepare_dataset

    pairs = [
        replace(
            pair,
            bands=pair.bands or given["bands"],
            nodata=pair.nodata or given["src_nodata"],
        )
        for pair in read_pairs(inputs, given["hsi_dir"], given["root"])
    ]
    with Progress() as progress:
        report = prepare_dataset(
            pairs,
            given["output"] or Path("dataset"),
            _dataset_options(given),
            jobs=given["jobs"],
            overwrite=given["overwrite"],
            dry_run=given["dry_run"],
            progress=progress,
        )
    _show(report, report.lines(), given)
    if report.unreadable:
        count = f"{len(report.unreadable)} of the images or cubes"
        raise DatasetError(
            f"{report.output}: {count} cannot be read: {report.unreadable[0]}; the rest is in it: "
            "mend them, or take them off the list, and make it again with --overwrite"
        )


def _dataset_options(given: dict[str, Any]) -> "DatasetOptions":
    from specgan_cli.datasets.building.splits import Shares
    from specgan_cli.datasets.degradation import Degradation
    from specgan_cli.workflows.prepare_dataset import DatasetOptions

    return options.from_options(
        DatasetOptions,
        given,
        degradation=Degradation(given["degradation"], mtf=given["mtf"], noise=given["noise"]),
        shares=Shares(given["val"], given["test"]),
        alignment=align_options(given),
        cubes=cube_options(given),
    )


def _show(report: Any, lines: Iterable[str], given: dict[str, Any]) -> None:
    if given["as_json"]:
        write_json(report)
    else:
        say("\n".join(lines))


def _check(datasets: tuple[str, ...], as_json: bool) -> None:
    """Verify datasets; fail when something is wrong."""
    from specgan_cli.datasets.dataset import check

    problems = {dataset: check(dataset) for dataset in datasets}
    bad = [f"{dataset}: {line}" for dataset, lines in problems.items() for line in lines]
    if as_json:
        write_json({"datasets": problems, "ok": not bad})
    elif not bad:
        say(f"{', '.join(datasets)}: every shard is as it was written")
    if bad:
        shown = "; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else "")
        raise DatasetError(f"{shown}; prepare the dataset again")
