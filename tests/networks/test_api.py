"""The door: what `import specgan` offers, and that it draws what the command draws."""

import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.vrt import WarpedVRT

import specgan
from specgan import api
from specgan_cli.inference.request import ComputeOptions, InputOptions, OutputOptions
from support.command import specgan as command
from support.rasters import write_cube, write_raster
from support.tiny_networks import tiny_weights

ROOT = Path(__file__).parents[2]


@pytest.fixture
def scene(make_raster: Any) -> Path:
    """A scene of noise with a nodata value, and some pixels that have it."""
    values = np.random.default_rng(0).integers(1, 255, (3, 12, 17), np.uint8)
    values[:, 3:5, 6] = 0
    path: Path = make_raster(values, nodata=0)
    return path


@pytest.fixture
def masked_scene(scene: Path, make_raster: Any) -> Path:
    """The same scene, whose missing pixels a mask tells."""
    with rasterio.open(scene) as dataset:
        path: Path = make_raster(dataset.read(), name="masked.tif", mask=dataset.dataset_mask())
    return path


def draw(scene: Path, tmp_path: Path) -> np.ma.MaskedArray:
    """What the command makes of a scene."""
    words = ("-x", 4, "--weights", tiny_weights(), "--device", "cpu", "-o", tmp_path / "out.tif")
    done = command("upscale", scene, *words)
    assert done.code == 0, done.stderr
    with rasterio.open(tmp_path / "out.tif") as dataset:
        return dataset.read(masked=True)


@pytest.fixture
def drawn(scene: Path, tmp_path: Path) -> np.ma.MaskedArray:
    """What the command makes of the scene."""
    return draw(scene, tmp_path)


def options() -> dict[str, Any]:
    return {"scale": 4, "weights": str(tiny_weights()), "device": "cpu"}


def same(found: np.ndarray, expected: np.ma.MaskedArray) -> bool:
    """Tell whether values and missing pixels are the same."""
    mask = np.ma.getmaskarray(expected)
    return (
        found.dtype == expected.dtype
        and np.array_equal(np.ma.getmaskarray(found), mask)
        and np.array_equal(np.ma.getdata(found)[~mask], expected.data[~mask])
    )


def test_a_path_to_a_path_is_the_commands_own_file(
    scene: Path, drawn: np.ma.MaskedArray, tmp_path: Path
) -> None:
    report = specgan.upscale(scene, tmp_path / "python.tif", **options())
    assert isinstance(report, specgan.UpscaleReport)
    assert report.output == str(tmp_path / "python.tif")
    with rasterio.open(tmp_path / "python.tif") as dataset:
        assert same(dataset.read(masked=True), drawn)


@pytest.mark.parametrize("kind", ["path", "dataset", "warped", "array"])
def test_every_source_gives_the_commands_pixels(
    kind: str, scene: Path, drawn: np.ma.MaskedArray
) -> None:
    with rasterio.open(scene) as dataset:
        transform, crs = dataset.transform, dataset.crs
        if kind == "path":
            made = specgan.upscale(scene, **options())
        elif kind == "dataset":
            made = specgan.upscale(dataset, **options())
        elif kind == "warped":
            with WarpedVRT(dataset, crs=crs) as warped:
                made = specgan.upscale(warped, **options())
        else:
            source = (dataset.read(), transform, crs.to_string())
            made = specgan.upscale(source, **options(), src_nodata=0)
    assert isinstance(made, specgan.GeoArray)
    assert same(made.array, drawn)
    assert made.transform.almost_equals(transform @ Affine.scale(1 / 4))
    assert made.crs == crs


def test_a_masked_array_is_a_scene_with_a_mask(masked_scene: Path, tmp_path: Path) -> None:
    with rasterio.open(masked_scene) as dataset:
        source = (dataset.read(masked=True), dataset.transform, dataset.crs)
    expected = draw(masked_scene, tmp_path)
    assert np.ma.is_masked(expected)
    assert same(specgan.upscale(source, **options()).array, expected)
    assert same(specgan.enhance(source[0], gsd=3.2, **options()), expected)


@pytest.mark.filterwarnings("ignore:Use `@`:PendingDeprecationWarning")  # rioxarray's own
@pytest.mark.parametrize("dims", [("band", "y", "x"), ("lat", "lon", "colour")])
def test_a_dataarray_gives_a_dataarray(
    dims: tuple[str, ...], scene: Path, drawn: np.ma.MaskedArray
) -> None:
    rioxarray = pytest.importorskip("rioxarray")
    with rioxarray.open_rasterio(scene) as opened:
        source = opened.load()
    source.name = "village"
    if dims[0] == "lat":
        renamed = source.rename(band="colour", y="lat", x="lon").transpose(*dims)
        source = renamed.rio.set_spatial_dims("lon", "lat")
    made = specgan.upscale(source, **options())
    assert made.dims == dims
    assert made.name == "village"
    assert made.rio.crs == source.rio.crs
    assert made.rio.nodata == 0
    assert made.rio.bounds() == pytest.approx(source.rio.bounds())
    values = made.transpose(*(dims if dims[0] == "band" else ("colour", "lat", "lon"))).values
    assert np.array_equal(values, drawn.filled(0))


@pytest.mark.filterwarnings("ignore:Use `@`:PendingDeprecationWarning")  # rioxarray's own
def test_a_dataarray_lies_where_its_coordinates_say(scene: Path) -> None:
    rioxarray = pytest.importorskip("rioxarray")
    with rioxarray.open_rasterio(scene) as opened:
        whole = opened.load()
    whole.attrs |= {"STATISTICS_MEAN": 3.0, "author": "me"}
    made = specgan.upscale(whole, **options())
    assert (made.attrs.get("author"), "STATISTICS_MEAN" in made.attrs) == ("me", False)
    flipped = {"y": slice(None, None, -1)}
    for part in (
        whole.isel(flipped),
        whole.isel(y=slice(0, None, 2), x=slice(1, None, 2)),
        whole.coarsen(x=2, y=3, boundary="trim").mean().astype("uint8"),
        whole.isel(y=slice(2, 7), x=slice(1, 8)),
    ):
        made = specgan.upscale(part, **options())
        scale = made.sizes["x"] // part.sizes["x"]
        for dim in "xy":
            middles = made[dim].values.reshape(-1, scale).mean(1)
            assert middles == pytest.approx(part[dim].values)
        assert made.rio.transform(recalc=True).almost_equals(made.rio.transform())
    with pytest.raises(specgan.SpecganError, match="'y' of the DataArray is not evenly spaced"):
        specgan.upscale(whole.isel(y=[0, 1, 5]), **options())


@pytest.mark.parametrize("last", [False, True])
def test_enhance_draws_what_the_command_draws(
    last: bool, scene: Path, drawn: np.ma.MaskedArray
) -> None:
    with rasterio.open(scene) as dataset:
        rgb, gsd = dataset.read(), dataset.res[0]
    rgb = np.moveaxis(rgb, 0, 2) if last else rgb
    made = specgan.enhance(rgb, gsd=gsd, nodata=0, **options())
    assert same(np.moveaxis(made, 2, 0) if last else made, drawn)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
def test_enhance_keeps_type_and_means(dtype: str) -> None:
    rgb = np.random.default_rng(1).integers(1, 200, (3, 5, 6)).astype(dtype)
    made = specgan.enhance(rgb, gsd=3.0, **options())
    assert made.dtype == dtype
    assert not isinstance(made, np.ma.MaskedArray)
    means = made.astype(float).reshape(3, 5, 4, 6, 4).mean((2, 4))
    assert np.abs(means - rgb).max() < (0.5 if dtype[0] != "f" else 1e-3)


def test_enhance_with_a_cube_draws_what_the_command_draws(make_raster: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    wavelengths = np.linspace(400, 1000, 30)
    rgb = rng.integers(1, 255, (3, 12, 17), np.uint8)
    cube = rng.uniform(0.05, 0.4, (30, 12, 17)).astype(np.float32)
    scene, hsi = make_raster(rgb), make_raster(cube, name="cube.tif")
    table = tmp_path / "wavelengths.csv"
    table.write_text("\n".join(str(value) for value in wavelengths))
    words = ("--hsi", hsi, "--no-align", "--wavelengths", table, "--hsi-scale", 1, "-x", 4)
    rest = ("--weights", tiny_weights(), "--device", "cpu", "-o", tmp_path / "out.tif")
    done = command("upscale", scene, *words, *rest)
    assert done.code == 0, done.stderr
    with rasterio.open(tmp_path / "out.tif") as dataset:
        expected = dataset.read()
    made = specgan.enhance(rgb, cube, gsd=3.2, wavelengths=wavelengths, **options())
    assert np.array_equal(made, expected)
    assert not np.array_equal(made, specgan.enhance(rgb, gsd=3.2, **options()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rgb": np.zeros((4, 5))}, "rgb has shape"),
        ({"rgb": np.zeros((3, 4, 5), bool)}, "array of bool"),
        ({"gsd": 0}, "gsd is 0"),
        ({"hsi": np.zeros((9, 4, 4)), "wavelengths": [500.0] * 9}, "hsi has .* pixels"),
        ({"hsi": np.zeros((9, 4, 5))}, "9 bands and wavelengths 0"),
        ({"scale": 3}, "-x 3"),
    ],
)
def test_what_enhance_cannot_take_is_refused(change: dict[str, Any], message: str) -> None:
    given = {"rgb": np.ones((3, 4, 5), np.uint8), "gsd": 3.2, **options(), **change}
    with pytest.raises(specgan.SpecganError, match=message):
        specgan.enhance(**given)


def test_what_upscale_cannot_take_is_refused(scene: Path) -> None:
    with pytest.raises(specgan.SpecganError, match="a list is no raster"):
        specgan.upscale([1, 2], **options())
    with pytest.raises(specgan.SpecganError, match=r"array\.tif: has no CRS"):
        specgan.upscale((np.ones((3, 4, 5), np.uint8), Affine.scale(2), None), **options())
    with pytest.raises(TypeError, match="unknown option 'sede'"):
        specgan.upscale(scene, sede=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'overviews' goes with an output path"):
        specgan.upscale(scene, overviews=True)


def test_a_list_of_files_is_one_scene(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(1, 200, (3, 6, 7)).astype("uint8")
    files = [write_raster(tmp_path / f"B0{4 - i}.tif", values[i : i + 1]) for i in range(3)]
    made = specgan.upscale(list(reversed(files)), **options())
    assert np.array_equal(made.array.reshape(3, 6, 4, 7, 4).mean((2, 4)), values)


def test_options_are_the_commands() -> None:
    kinds = (InputOptions, ComputeOptions, OutputOptions)
    known = {field.name for kind in kinds for field in fields(kind)}
    own = {"scene", "stack", "hsi", "scale", "path", "make_folder", "georeferenced", "batch"}
    assert known - own == set(api.UpscaleOptions.__annotations__) - {"batch"}


def test_align_and_open_cube(scene: Path, tmp_path: Path) -> None:
    path = write_cube(tmp_path / "cube.tif", left=726491.0, noise=True)
    trust = specgan.AlignOptions(align=False)
    with specgan.open_cube(path, specgan.CubeOptions(bad_bands="1-2")) as cube:
        assert cube.bad[:2].all()
        alignment = specgan.align(scene, cube, trust)
    assert isinstance(alignment, specgan.Alignment)
    assert alignment == specgan.align(scene, path, trust)
    with pytest.raises(specgan.SpecganError, match="no band is called 'B04'"):
        specgan.align(scene, path, trust, bands=("B04", "B03", "B02"))
    with pytest.raises(specgan.SpecganError, match="nodata 300"):
        specgan.align(scene, path, trust, src_nodata=300)
    with pytest.raises(specgan.SpecganError, match="'nowhere' is no known CRS"):
        specgan.align(scene, path, trust, cube_options=specgan.CubeOptions(crs="nowhere"))


def test_a_loaded_network_keeps_no_graph() -> None:
    network = specgan.load()
    fine = network(next(network.parameters()).new_zeros(1, 3, 2, 2), scale=2)
    assert not fine.requires_grad


def test_what_is_public_is_listed_and_documented() -> None:
    assert dir(specgan) == sorted(specgan.__all__)
    assert all(hasattr(specgan, name) for name in specgan.__all__)
    page = (ROOT / "docs" / "python.md").read_text()
    documented = set(re.findall(r"^\| `(\w+)", page, flags=re.MULTILINE))
    assert documented == set(specgan.__all__) - {"__version__"}


def test_import_loads_neither_torch_nor_gdal() -> None:
    code = "import sys, specgan; print([m for m in ('torch', 'rasterio') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
