"""Small inputs of every kind that specgan reads, and one command line for each."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from support.datasets import make_evaluation_dataset, make_training_dataset
from support.rasters import NORTH_UP, write_cube, write_raster
from support.tiny_networks import tiny_weights
from support.training_configs import STAGES

SIDE = 24


@dataclass(frozen=True)
class Job:
    """A command line over inputs, and what it makes."""

    name: str
    words: tuple[str, ...]
    """Its words; `{in}` is the folder of inputs, `{out}` an empty folder."""
    result: str
    """The name of what it makes in `{out}`; empty where it makes nothing."""
    inputs: tuple[str, ...]
    """Names of the inputs that it reads."""
    same: bool = True
    """Whether two undisturbed runs leave the same bytes or pixels."""

    def at(self, inputs: Path, out: Path) -> list[str]:
        """Return the words for these folders."""
        image = next((str(p) for p in inputs.glob("enmap/*SPECTRAL*")), "")
        marks = {"{in}/enmap/@": image, "{in}": str(inputs), "{out}": str(out)}
        words = list(self.words)
        for mark, text in marks.items():
            words = [word.replace(mark, text) for word in words]
        return words

    def copied(self, inputs: Path) -> list[Path]:
        """Return the files that it may read: those of the folder, and of the folders it names."""
        named = {name.split("/")[0] for name in self.inputs if "/" in name}
        named |= {word[5:] for word in self.words if word.startswith("{in}/")}
        return [
            path
            for path in inputs.rglob("*")
            if path.is_file()
            and (path.parent == inputs or path.relative_to(inputs).parts[0] in named)
        ]


def write_inputs(folder: Path) -> None:
    """Write every input into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _scenes(folder)
    _cubes(folder)
    weights = tiny_weights()
    for path in weights.parent.glob("tiny*"):
        shutil.copy(path, folder)
    (folder / "pairs.csv").write_text(
        "rgb,hsi,group,split\n"
        + "".join(f"chip{i}.tif,chipcube.tif,{i},{'val' if i else 'train'}\n" for i in range(2))
    )
    for number in range(2):
        write_raster(folder / f"chip{number}.tif", _values(number, 64), transform=_fine(number))
    write_cube(folder / "chipcube.tif", left=726481.0)
    make_training_dataset(folder / "training")
    make_evaluation_dataset(folder / "chips", count=2, side=32)
    (folder / "train.toml").write_text(
        STAGES.replace("perceptual = 0.5\n", "")
        .replace("gan = 0.1\n", "")
        .replace("gan_ramp = 1\n", "")
    )
    (folder / "bands.csv").write_text(
        "band,wavelength_nm\n" + "".join(f"{b},{380 + 14.25 * b}\n" for b in range(1, 49))
    )
    (folder / "area.geojson").write_text(json.dumps(_area()))


def _values(seed: int, side: int = SIDE) -> Any:
    return np.random.default_rng(seed).integers(1, 256, (3, side, side)).astype("uint8")


def _fine(number: int) -> Affine:
    return Affine(0.4, 0, 726491.0 + 26 * number, 0, -0.4, 4699078.0)


def _area() -> dict[str, Any]:
    x, y = NORTH_UP.c, NORTH_UP.f
    ring = [[x, y], [x + 40, y], [x + 40, y - 40], [x, y - 40], [x, y]]
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32618"}}
    return {"type": "Polygon", "coordinates": [ring], "crs": crs}


def _scenes(folder: Path) -> None:
    values = _values(0)
    mask = np.ones((SIDE, SIDE), bool)
    mask[3:6, 4:9] = False
    write_raster(folder / "strip.tif", values)
    tiles = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    write_raster(folder / "tiles.tif", values, mask=mask, **tiles)
    write_raster(folder / "big.tif", values, BIGTIFF="YES", interleave="pixel", **tiles)
    write_raster(folder / "outside.tif", values, **tiles)
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False),
        rasterio.open(folder / "outside.tif", "r+") as dataset,
    ):
        dataset.write_mask(mask)
    write_raster(folder / "bsq.img", values, driver="ENVI")
    write_raster(folder / "bip.img", values, driver="ENVI", INTERLEAVE="BIP")
    write_raster(folder / "scene.png", values, driver="PNG", WORLDFILE="YES")
    write_raster(folder / "scene.jpg", values, driver="JPEG", WORLDFILE="YES")
    shutil.copy(folder / "strip.tif", folder / "source.tif")
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{b}"><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">source.tif</SourceFilename><SourceBand>{b}'
        "</SourceBand></SimpleSource></VRTRasterBand>"
        for b in (1, 2, 3)
    )
    place = ", ".join(str(number) for number in NORTH_UP.to_gdal())
    (folder / "scene.vrt").write_text(
        f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>EPSG:32618</SRS>'
        f"<GeoTransform>{place}</GeoTransform>{bands}</VRTDataset>"
    )
    float32 = values.astype("float32")
    float32[:, :2] = -9999
    write_raster(folder / "float.tif", float32, nodata=-9999)


def _cubes(folder: Path) -> None:
    write_cube(folder / "cube.tif", left=726491.0, noise=True)
    with rasterio.open(folder / "cube.tif") as source:
        values = source.read()
    for name in ("bil", "bip", "bsq"):
        path = folder / f"cube_{name}.img"
        transform = Affine(3.2, 0, 726491.0, 0, -3.2, 4699080.0)
        write_raster(path, values, driver="ENVI", INTERLEAVE=name, transform=transform)
        with path.with_suffix(".hdr").open("a") as header:
            listed = ", ".join(str(380 + 14.25 * band) for band in range(1, 49))
            header.write(f"wavelength units = Nanometers\nwavelength = {{{listed}}}\n")
    _neon(folder / "neon.h5", values)


def _neon(path: Path, values: Any) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        group = file.create_group("SITE/Reflectance")
        data = group.create_dataset(
            "Reflectance_Data", data=np.moveaxis(values, 0, -1), chunks=True
        )
        data.attrs["Data_Ignore_Value"] = -9999.0
        data.attrs["Scale_Factor"] = 10000.0
        meta = group.create_group("Metadata")
        place = "UTM, 1.000, 1.000, 726491.0, 4699080.0, 3.2, 3.2, 18, North, WGS-84, units=Meters"
        system = meta.create_group("Coordinate_System")
        system["Map_Info"] = place
        system["EPSG Code"] = "32618"
        spectral = meta.create_group("Spectral_Data")
        spectral["Wavelength"] = 380 + 14.25 * np.arange(1, 49)
        spectral["FWHM"] = np.full(48, 14.25)


def _upscale(name: str, *more: str, inputs: tuple[str, ...]) -> Job:
    words = ("upscale", f"{{in}}/{inputs[0]}", "-o", "{out}/out.tif", "-x", "2", "-j", "1")
    return Job(
        f"upscale-{name}",
        (*words, "--weights", "{in}/tiny.safetensors", "--device", "cpu", *more),
        "out.tif",
        (*inputs, "tiny.safetensors"),
    )


SCENES = ("strip.tif", "tiles.tif", "big.tif", "outside.tif", "float.tif", "bsq.img", "bip.img")
OTHERS = ("scene.png", "scene.jpg", "scene.vrt")
CUBES = ("cube.tif", "cube_bil.img", "cube_bip.img", "cube_bsq.img", "neon.h5")


def jobs() -> list[Job]:
    """Return a command line for every kind of input and every command."""
    found = [_upscale(name, inputs=(name,)) for name in SCENES + OTHERS]
    for name in CUBES:
        found.append(
            Job(
                f"prepare-{name}",
                ("prepare", "{in}/strip.tif", "--hsi", f"{{in}}/{name}", "--no-align",
                 "-o", "{out}/out.tif"),
                "out.tif",
                (name, "strip.tif"),
            )
        )  # fmt: skip
    cube = ("--hsi", "{in}/cube.tif", "--no-align")
    others = ("--preview", "{out}/out.png", "--uncertainty", "{out}/sd.tif", "--of", "COG")
    found.append(_upscale("guided", *cube, inputs=("strip.tif", "cube.tif")))
    found.append(_upscale("cog", *others, inputs=("strip.tif",)))
    found.append(_upscale("overviews", "-x", "16", "--overviews", inputs=("tiles.tif",)))
    area = ("--aoi", "{in}/area.geojson")
    found.append(_upscale("area", *area, inputs=("strip.tif", "area.geojson")))
    return found + _others()


def _others() -> list[Job]:
    one = "--device cpu -j 1"
    weights = "--weights {in}/tiny.safetensors"
    lines = {
        "prepare-dataset": "prepare {in}/pairs.csv -o {out}/ds -x 8 --no-align --chip 64",
        "train": f"train {{in}}/training -o {{out}}/run --config {{in}}/train.toml {one}",
        "evaluate": f"evaluate {{in}}/chips {weights} -x 4 -o {{out}}/report --metrics psnr {one}",
        "evaluate-rasters": "evaluate --sr {in}/strip.tif --reference {in}/bsq.img --metrics psnr"
        " --json",
        "models-show": "models show {in}/tiny.safetensors --json",
    }
    made = {"prepare-dataset": "ds", "train": "run", "evaluate": "report"}
    read = {
        "prepare-dataset": ("pairs.csv", "chip0.tif", "chipcube.tif"),
        "train": ("training/*", "train.toml"),
        "evaluate": ("chips/*", "tiny.safetensors"),
        "evaluate-rasters": ("bsq.img", "strip.tif"),
        "models-show": ("tiny.safetensors",),
    }
    return [
        Job(name, tuple(line.split()), made.get(name, ""), read[name], name not in made)
        for name, line in lines.items()
    ]


def seen(path: Path) -> object:
    """Return what a result holds: pixels, masks, overviews and grid of a raster, else None."""
    if path.suffix in (".tif", ".png", ".img"):
        with rasterio.open(path) as dataset:
            count, where = len(dataset.overviews(1)), (tuple(dataset.transform), str(dataset.crs))
        pixels = []
        for level in (None, *range(count)):
            finer = {} if level is None else {"overview_level": level}
            with rasterio.open(path, **finer) as dataset:
                pixels += [dataset.read().tobytes(), dataset.dataset_mask().tobytes()]
        return pixels, where
    return None
