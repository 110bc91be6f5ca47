"""The `prepare` command: co-register a cube to a scene, or build a training dataset."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from specgan_cli.cli import options, prepare_options
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
@prepare_options.of_cubes
@prepare_options.of_one_scene
@prepare_options.of_datasets
@options.jobs
@options.overwrite
@options.dry_run
@options.json_output
@click.pass_context
def prepare(ctx: click.Context, /, inputs: tuple[str, ...], **given: Any) -> None:
    """Bring a cube onto a scene's grid, or make a training dataset.

    With --hsi, the cube is aligned to the scene RGB and written on its grid.  Without, PAIRS make a
    dataset: CSV lists (columns rgb, hsi, group, split, label, gsd, hsi_kind, wavelengths,
    hsi_scale, nodata; only rgb is needed), folders of images, single images, or folders that hold
    train|valid|test with RGBHR and HSI.
    """
    _refuse_nonsense(ctx, inputs, given)
    if given["check"]:
        _check(inputs, given["as_json"])
    elif given["hsi"] is not None:
        _align(ctx, inputs[0], given)
    else:
        _dataset(ctx, inputs, given)


def _refuse_nonsense(ctx: click.Context, inputs: tuple[str, ...], given: dict[str, Any]) -> None:
    if not inputs:
        raise click.UsageError("name an RGB scene with --hsi, or lists or folders of pairs")
    one = given["hsi"] is not None
    if one and len(inputs) > 1:
        raise click.UsageError(f"--hsi goes with one scene, but {len(inputs)} are named")
    if given["output"] is None and not given["check"] and not given["dry_run"]:
        raise click.UsageError("name the output with -o")
    foreign = prepare_options.DATASET_NAMES if one else prepare_options.ONE_SCENE_NAMES
    for name in foreign:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            word = name.replace("_", "-")
            raise click.UsageError(
                f"--{word} belongs to datasets, not to one scene with --hsi"
                if one
                else f"--{word} belongs to one scene with --hsi"
            )
    if given["overlap"] >= given["chip"]:
        raise click.UsageError(f"--overlap {given['overlap']} must be less than --chip")
    if given["val"] + given["test"] >= 1:
        raise click.UsageError("--val and --test leave nothing to train")
    if given["rgb_range"] and given["rgb_range"][0] >= given["rgb_range"][1]:
        raise click.UsageError("--rgb-range takes the lower value first")


def _align(ctx: click.Context, scene: str, given: dict[str, Any]) -> None:
    """Bring one cube onto one scene's grid."""
    from specgan_cli.workflows.prepare_raster import AlignedCubeOptions, align_cube

    chosen = AlignedCubeOptions(
        cube=prepare_options.cube_options(given),
        alignment=prepare_options.align_options(given),
        dtype=given["dtype"],
        of=given["of"],
        co=dict(given["co"]),
    )
    with _Progress(ctx) as progress:
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
    _say(ctx, report, _aligned_lines(report), given["as_json"])


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


def _dataset(ctx: click.Context, inputs: tuple[str, ...], given: dict[str, Any]) -> None:
    """Make a dataset."""
    from specgan_cli.datasets.building.pairs import read_pairs
    from specgan_cli.workflows.prepare_dataset import prepare_dataset

    pairs = read_pairs(inputs, given["hsi_dir"], given["root"])
    with _Progress(ctx) as progress:
        report = prepare_dataset(
            pairs,
            given["output"] or Path("dataset"),
            _dataset_options(given),
            jobs=given["jobs"],
            overwrite=given["overwrite"],
            dry_run=given["dry_run"],
            progress=progress,
        )
    _say(ctx, asdict(report), list(report.lines()), given["as_json"])


def _dataset_options(given: dict[str, Any]) -> "DatasetOptions":
    from specgan_cli.datasets.building.splits import Shares
    from specgan_cli.datasets.degradation import Degradation
    from specgan_cli.workflows.prepare_dataset import DatasetOptions

    return DatasetOptions(
        scale=int(given["scale"]),
        chip=given["chip"],
        overlap=given["overlap"],
        assume_gsd=given["assume_gsd"],
        degradation=Degradation(given["degradation"], mtf=given["mtf"], noise=given["noise"]),
        split_by=given["split_by"],
        shares=Shares(given["val"], given["test"]),
        block_m=given["block"],
        guard_m=given["guard"],
        max_nodata=given["max_nodata"],
        rgb_range=given["rgb_range"],
        alignment=prepare_options.align_options(given),
        cubes=prepare_options.cube_options(given),
    )


def _check(datasets: tuple[str, ...], as_json: bool) -> None:
    """Verify datasets; fail when something is wrong."""
    from specgan_cli.datasets.dataset import check

    problems = {dataset: check(dataset) for dataset in datasets}
    bad = [f"{dataset}: {line}" for dataset, lines in problems.items() for line in lines]
    if as_json:
        click.echo(json.dumps({"datasets": problems, "ok": not bad}, indent=2))
    elif not bad:
        click.echo(f"{', '.join(datasets)}: every shard is as it was written")
    if bad:
        shown = "; ".join(bad[:3]) + (f"; and {len(bad) - 3} more" if len(bad) > 3 else "")
        raise DatasetError(f"{shown}; prepare the dataset again")


def _say(ctx: click.Context, report: dict[str, Any], lines: list[str], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report, indent=2))
    elif not _is_quiet(ctx):
        click.echo("\n".join(lines))


def _is_quiet(ctx: click.Context) -> bool:
    return bool((ctx.obj or {}).get("quiet"))


class _Progress:
    """A bar on stderr that starts again with every stage; nothing off a terminal."""

    def __init__(self, ctx: click.Context) -> None:
        self._hidden = _is_quiet(ctx) or not sys.stderr.isatty()
        self._stage = ""
        self._bar: Any = None

    def __enter__(self) -> "_Progress":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._hidden:
            return
        if stage != self._stage:
            from tqdm import tqdm

            self.__exit__()
            self._stage = stage
            self._bar = tqdm(total=total, desc=stage, file=sys.stderr, leave=False)
        self._bar.update(done - self._bar.n)
