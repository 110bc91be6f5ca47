"""Options of the two forms of the `prepare` command."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from specgan_cli.cli import options
from specgan_cli.cli.parameters import KeyValue, Numbers

if TYPE_CHECKING:
    from specgan_cli.alignment import AlignOptions
    from specgan_cli.cubes.options import CubeOptions

ONE_SCENE_NAMES = ("hsi_origin", "quicklook", "local", "dtype", "of", "co")
"""Parameters that only the form with --hsi takes."""

DATASET_NAMES = (
    "scale",
    "hsi_dir",
    "root",
    "assume_gsd",
    "degradation",
    "mtf",
    "noise",
    "chip",
    "overlap",
    "split_by",
    "val",
    "test",
    "block",
    "guard",
    "max_nodata",
    "rgb_range",
    "check",
)
"""Parameters that only the other form takes."""

_Above0 = click.FloatRange(min=0, min_open=True)
_Share = click.FloatRange(0, 1, max_open=True)

_BOTH: tuple[options.Decorator, ...] = (
    click.option("--wavelengths", metavar="FILE", help="Wavelengths, if cubes do not tell."),
    click.option("--hsi-scale", type=_Above0, help="Stored value of reflectance 1."),
    click.option("--bad-bands", metavar="RANGES", help="Bad bands, such as 1-4,1340-1445nm."),
    click.option("--hsi-crs", metavar="CRS", help="CRS of cubes, such as EPSG:32618."),
    click.option(
        "--align/--no-align", default=True, show_default=True, help="Co-register cubes to the RGB."
    ),
    click.option(
        "--max-shift",
        type=click.FloatRange(min=0),
        metavar="METRES",
        help="Longest shift of a cube that is believed.",
    ),
)

_ONE_SCENE: tuple[options.Decorator, ...] = (
    click.option(
        "--hsi-origin",
        type=Numbers(2),
        help="One scene: outer corner x,y of the cube.",
    ),
    click.option(
        "--local/--no-local",
        default=True,
        show_default=True,
        help="One scene: look for a smooth local displacement too.",
    ),
    click.option(
        "--quicklook",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE.png",
        help="One scene: draw RGB and cube, before and after.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["int16", "float32"]),
        default="int16",
        show_default=True,
        help="One scene: int16 holds reflectance x 10000.",
    ),
    click.option(
        "--of",
        type=click.Choice(["GTiff", "COG"]),
        default="GTiff",
        show_default=True,
        help="One scene: format.",
    ),
    click.option("--co", type=KeyValue(), multiple=True, help="One scene: GDAL creation option."),
)

_DATASET: tuple[options.Decorator, ...] = (
    click.option(
        "-x",
        "--scale",
        type=click.Choice(["2", "4", "8", "16", "32"]),
        default="32",
        show_default=True,
        help="Dataset: largest factor that it serves.",
    ),
    click.option("--hsi-dir", metavar="FOLDER", help="Dataset: cubes named as the images."),
    click.option(
        "--root",
        type=click.Path(path_type=Path, file_okay=False, exists=True),
        help="Dataset: folder that names in lists start from; the list's own by default.",
    ),
    click.option(
        "--assume-gsd",
        type=_Above0,
        metavar="METRES",
        help="Dataset: pixel size of images without a CRS.",
    ),
    click.option(
        "--degradation",
        type=click.Choice(["area", "gaussian", "point"]),
        default="area",
        show_default=True,
        help="Dataset: how LR is made of HR when chips are read.",
    ),
    click.option(
        "--mtf",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.3,
        show_default=True,
        help="Dataset: response at the LR Nyquist frequency (gaussian).",
    ),
    click.option(
        "--noise",
        type=_Share,
        default=0.0,
        show_default=True,
        help="Dataset: noise added to LR, as a fraction of the range.",
    ),
    click.option(
        "--chip",
        type=click.IntRange(min=1),
        default=12,
        show_default=True,
        help="Dataset: LR pixels along a chip's side, at most.",
    ),
    click.option(
        "--overlap",
        type=click.IntRange(min=0),
        default=0,
        show_default=True,
        help="Dataset: LR pixels that neighbouring chips share.",
    ),
    click.option(
        "--split-by",
        type=click.Choice(["group", "blocks"]),
        default="group",
        show_default=True,
        help="Dataset: keep groups, or square blocks of ground, in one split.",
    ),
    click.option(
        "--val",
        type=_Share,
        default=0.2,
        show_default=True,
        help="Dataset: share that validates, where lists do not say.",
    ),
    click.option(
        "--test", type=_Share, default=0.0, show_default=True, help="Dataset: share that tests."
    ),
    click.option(
        "--block",
        type=_Above0,
        metavar="METRES",
        help="Dataset: side of a block; four chips by default.",
    ),
    click.option(
        "--guard",
        type=click.FloatRange(min=0),
        default=0.0,
        show_default=True,
        metavar="METRES",
        help="Dataset: ground kept free between splits.",
    ),
    click.option(
        "--max-nodata",
        type=click.FloatRange(0, 1),
        default=0.1,
        show_default=True,
        help="Dataset: largest share of missing pixels in a chip.",
    ),
    click.option(
        "--rgb-range", type=Numbers(2), help="Dataset: values of black and white, unless 8-bit."
    ),
    click.option("--check", is_flag=True, help="Verify the hashes of the dataset folders named."),
)


def cube_options(given: dict[str, Any]) -> "CubeOptions":
    """Return what the user says of the cubes."""
    from specgan_cli.cubes.options import CubeOptions

    return CubeOptions(
        given["wavelengths"],
        given["hsi_scale"],
        given["bad_bands"],
        given["hsi_crs"],
        given["hsi_origin"],
    )


def align_options(given: dict[str, Any]) -> "AlignOptions":
    """Return how the user wants cubes to be aligned."""
    from specgan_cli.alignment import AlignOptions

    return AlignOptions(given["align"], given.get("local", True), given["max_shift"])


def of_cubes(command: options.Command) -> options.Command:
    """Add the options on cubes, which both forms take."""
    return options.add(_BOTH, command)


def of_one_scene(command: options.Command) -> options.Command:
    """Add the options of the form with --hsi."""
    return options.add(_ONE_SCENE, command)


def of_datasets(command: options.Command) -> options.Command:
    """Add the options of the form that makes datasets."""
    return options.add(_DATASET, command)
