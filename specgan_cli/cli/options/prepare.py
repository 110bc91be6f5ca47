"""Options of the two forms of the `prepare` command."""

import functools
from pathlib import Path

import click

from specgan_cli.cli import options


class OneSceneOption(click.Option):
    """An option that only the form with --hsi takes."""


class DatasetOption(click.Option):
    """An option that only the form without --hsi takes."""


_Above0 = options.Float(min=0, min_open=True)
_Share = options.Float(0, 1, max_open=True)

_one_scene = functools.partial(click.option, cls=OneSceneOption)
_dataset = functools.partial(click.option, cls=DatasetOption)

_ONE_SCENE: tuple[options.Decorator, ...] = (
    _one_scene(
        "--hsi-origin",
        type=options.Numbers(2),
        help="One scene: outer corner x,y of the cube.",
    ),
    *options.area_options(_one_scene, "One scene: "),
    _one_scene(
        "--local/--no-local",
        default=True,
        show_default=True,
        help="One scene: look for a smooth local displacement too.",
    ),
    _one_scene(
        "--quicklook",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE.png",
        help="One scene: draw RGB and cube, before and after.",
    ),
    _one_scene(
        "--dtype",
        type=click.Choice(["int16", "float32"]),
        default="int16",
        show_default=True,
        help="One scene: int16 holds reflectance x 10000.",
    ),
    _one_scene(
        "--of",
        type=click.Choice(["GTiff", "COG"]),
        default="GTiff",
        show_default=True,
        help="One scene: format.",
    ),
    _one_scene(
        "--co",
        type=options.KeyValue(),
        multiple=True,
        callback=options.as_dict,
        help="One scene: GDAL creation option.",
    ),
    _one_scene("--lossy", is_flag=True, help="One scene: allow --co that changes values."),
)

_DATASET: tuple[options.Decorator, ...] = (
    _dataset(
        "-x",
        "--scale",
        type=options.Factor(),
        default=32,
        show_default=True,
        help="Dataset: largest factor that it serves.",
    ),
    _dataset("--hsi-dir", metavar="FOLDER", help="Dataset: cubes named as the images."),
    _dataset(
        "--root",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Dataset: folder that names in lists start from; the list's own by default.",
    ),
    _dataset(
        "--assume-gsd",
        type=_Above0,
        metavar="METRES",
        help="Dataset: pixel size of images without a CRS.",
    ),
    _dataset(
        "--degradation",
        type=click.Choice(["area", "gaussian", "point"]),
        default="area",
        show_default=True,
        help="Dataset: how LR is made of HR when chips are read.",
    ),
    _dataset(
        "--mtf",
        type=options.Float(0, 1, min_open=True, max_open=True),
        default=0.3,
        show_default=True,
        help="Dataset: response at the LR Nyquist frequency (gaussian).",
    ),
    _dataset(
        "--noise",
        type=_Share,
        default=0.0,
        show_default=True,
        help="Dataset: noise added to LR, as a fraction of the range.",
    ),
    _dataset(
        "--chip",
        type=click.IntRange(min=1),
        default=12,
        show_default=True,
        help="Dataset: LR pixels along a chip's side, at most.",
    ),
    _dataset(
        "--overlap",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Dataset: LR pixels that neighbouring chips share.",
    ),
    _dataset(
        "--split-by",
        type=click.Choice(["group", "blocks"]),
        default="group",
        show_default=True,
        help="Dataset: keep groups, or square blocks of ground, in one split.",
    ),
    _dataset(
        "--val",
        type=_Share,
        default=0.2,
        show_default=True,
        help="Dataset: share that validates, where lists do not say.",
    ),
    _dataset(
        "--test", type=_Share, default=0.0, show_default=True, help="Dataset: share that tests."
    ),
    _dataset(
        "--block",
        "block_m",
        type=_Above0,
        metavar="METRES",
        help="Dataset: side of a block; four chips by default.",
    ),
    _dataset(
        "--guard",
        "guard_m",
        type=options.Float(min=0),
        default=0.0,
        show_default=True,
        metavar="METRES",
        help="Dataset: ground kept free between splits.",
    ),
    _dataset(
        "--max-nodata",
        type=options.Float(0, 1),
        default=0.1,
        show_default=True,
        help="Dataset: largest share of missing pixels in a chip.",
    ),
    _dataset(
        "--rgb-range",
        type=options.Numbers(2),
        help="Dataset: values of black and white, unless 8-bit.",
    ),
    _dataset("--check", is_flag=True, help="Dataset: verify the hashes of the folders named."),
)


def add_one_scene_options(command: options.Command) -> options.Command:
    """Add the options of the form with --hsi."""
    return options.add(_ONE_SCENE, command)


def add_dataset_options(command: options.Command) -> options.Command:
    """Add the options of the form that makes datasets."""
    return options.add(_DATASET, command)
