"""The engine: out of memory, nodata, and tiles that hold nothing."""

import numpy as np
import pytest
import torch

from specgan_cli.inference.engine import Engine, is_out_of_memory, split
from specgan_cli.inference.predictors.output_type import OutputType
from specgan_cli.inference.predictors.output_values import finish_tile
from specgan_cli.inference.predictors.predictor import ScenePredictor, Settings
from specgan_cli.inference.reader import TileInput
from specgan_cli.raster.grid import Window
from specgan_cli.raster.radiometry import Radiometry
from support.tiny_networks import tiny_network

EIGHT_BIT = Radiometry("uint8", 0.0, 255.0)


def make_engine(limit: int | None = None) -> Engine:
    """Return an engine that runs out of memory beyond `limit` LR pixels."""
    model = ScenePredictor(tiny_network())
    if limit is not None:
        compute = model.finest

        def limited(
            tiles: list[TileInput], settings: Settings, device: torch.device
        ) -> torch.Tensor:
            if sum(tile.window.height * tile.window.width for tile in tiles) > limit:
                raise RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory")
            return compute(tiles, settings, device)

        model.finest = limited  # type: ignore[method-assign]  # stands in for a small machine
    settings = Settings(4, 3.2, EIGHT_BIT, OutputType("uint8", None))
    return Engine(model, settings, torch.device("cpu"))


def make_tile(
    engine: Engine, height: int = 7, width: int = 10, origin_yx: tuple[int, int] = (4, 6)
) -> TileInput:
    random = np.random.default_rng(origin_yx)
    shape = (3, height + 2 * engine.halo, width + 2 * engine.halo)
    values = random.integers(0, 256, shape).astype("uint8")
    inner = slice(engine.halo, -engine.halo)
    return TileInput(
        Window(*origin_yx, height, width),
        EIGHT_BIT.to_unit(values),
        values[:, inner, inner],
        np.ones((height, width), bool),
    )


def bare_tile(lr: np.ndarray) -> TileInput:
    """Return a tile of 2 x 2 valid pixels without a halo."""
    return TileInput(Window(0, 0, 2, 2), lr, lr, np.ones((2, 2), bool))


@pytest.mark.parametrize("limit", [40, 20, 8])
def test_tiles_are_halved_until_they_fit(limit: int) -> None:
    whole = make_engine().predict([make_tile(make_engine())])[0]
    engine = make_engine(limit)
    halved = engine.predict([make_tile(engine)])[0]
    assert np.abs(whole.values.astype(int) - halved.values).max() <= 1


@pytest.mark.parametrize("limit", [None, 140, 40])
def test_tiles_of_a_batch_are_those_computed_alone(limit: int | None) -> None:
    engine = make_engine(limit)
    tiles = [make_tile(engine, origin_yx=origin) for origin in ((4, 6), (0, 18), (22, 2))]
    alone = make_engine()
    for tile, result in zip(tiles, engine.predict(tiles), strict=True):
        assert result.window == tile.window.scaled(4)
        expected = alone.predict([tile])[0].values.astype(int)
        assert np.abs(expected - result.values).max() <= 1


def test_memory_for_nothing_is_an_error() -> None:
    engine = make_engine(1)
    with pytest.raises(MemoryError, match="not even"):
        engine.predict([make_tile(engine)])


def test_other_errors_are_not_taken_for_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes differ"))


def test_split_parts_lie_where_they_were() -> None:
    engine = make_engine()
    tile = make_tile(engine)
    left, right = split(tile, engine.halo)
    assert (left.window, right.window) == (Window(4, 6, 7, 5), Window(4, 11, 7, 5))
    joined = np.concatenate([left.lr_values, right.lr_values], axis=2)
    assert np.array_equal(joined, tile.lr_values)
    assert np.array_equal(right.lr_unit, tile.lr_unit[..., 5:])


def test_a_tile_without_data_costs_no_network() -> None:
    engine = make_engine(0)
    tile = make_tile(engine)
    empty = TileInput(tile.window, tile.lr_unit, tile.lr_values, np.zeros((7, 10), bool))
    (result,) = engine.predict([empty])
    assert not result.valid.any()
    assert result.values.shape == (3, 28, 40)


@pytest.mark.parametrize("nodata", [0, 255])
def test_valid_pixels_never_take_the_nodata_value_in_all_bands(nodata: int) -> None:
    lr = np.full((3, 2, 2), 1 if nodata == 0 else 254, "uint8")
    lr[:2, 0, 0] = nodata
    unit = torch.from_numpy(EIGHT_BIT.to_unit(lr))[None]
    random = torch.Generator().manual_seed(0)
    detail = torch.randn(1, 3, 8, 8, generator=random) * 0.02
    finest = unit.repeat_interleave(4, 2).repeat_interleave(4, 3) + detail
    output = OutputType("uint8", float(nodata))
    values = finish_tile(finest, bare_tile(lr), EIGHT_BIT, output)
    assert not (values == nodata).all(axis=0).any()
    means = values.reshape(3, 2, 4, 2, 4).mean((2, 4))
    assert np.array_equal(means, lr)


def test_whole_numbers_beyond_float32_stay_exact() -> None:
    lr = np.array([[[3_000_000_001, 17], [4_000_000_123, 2]]] * 3, "uint32")
    radiometry = Radiometry("uint32", 0.0, 4_294_967_295.0)
    unit = torch.from_numpy(radiometry.to_unit(lr))[None]
    finest = unit.repeat_interleave(2, 2).repeat_interleave(2, 3)
    values = finish_tile(finest, bare_tile(lr), radiometry, OutputType("uint32", None))
    sums = values.astype(np.int64).reshape(3, 2, 2, 2, 2).sum((2, 4))
    assert np.array_equal(sums, 4 * lr.astype(np.int64))
