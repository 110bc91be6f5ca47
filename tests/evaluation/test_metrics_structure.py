"""Lines, local contrast, specks and lattice: known images, and scikit-image as a second opinion."""

import math

import numpy as np
import pytest
from scipy import ndimage

from specgan_cli.evaluation.image_pair import Tile, Units, cut, whole
from specgan_cli.evaluation.metrics.colour import Specks, lab
from specgan_cli.evaluation.metrics.edges import LocalContrast, local_spread
from specgan_cli.evaluation.metrics.grid_artifacts import Seams
from specgan_cli.evaluation.metrics.lines import Lines, canny, straight
from specgan_cli.evaluation.metrics.suite import Suite

RNG = np.random.default_rng(14)
SIDE = 96
ROWS, COLS = np.mgrid[:SIDE, :SIDE]


def grey(image: np.ndarray) -> np.ndarray:
    return np.repeat(image[None].astype(float), 3, axis=0)


def ground(seed: int) -> np.ndarray:
    """Smooth ground with noise: edges of all kinds."""
    rng = np.random.default_rng(seed)
    base = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 4) * 400
    return np.clip(base + 120 + rng.normal(0, 4, (SIDE, SIDE)), 0, 255)


def roof(angle: float) -> np.ndarray:
    """A bright band at an angle to the rows, antialiased."""
    turned = (COLS - 48) * math.sin(angle) + (ROWS - 48) * math.cos(angle)
    return 60 + 120 / (1 + np.exp(4 * (np.abs(turned) - 12)))


def beads(period: int) -> np.ndarray:
    """The same band as a chain of blobs along the rows' direction, one in every `period` pixels."""
    rows = np.abs(ROWS - 48)
    cols = (COLS % period) - period / 2
    inside = np.hypot(rows, cols) < 0.4 * period
    return 60.0 + 120 * inside


def lines(image: np.ndarray, reference: np.ndarray | None = None) -> dict[str, float]:
    meter = Lines(0.0, 255.0)
    meter.update(whole(grey(image), grey(image if reference is None else reference)))
    return meter.results()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_edges_are_those_of_scikit_image(seed: int) -> None:
    from skimage.feature import canny as oracle

    image = ground(seed)
    expected = oracle(image, sigma=1.5, low_threshold=25.0, high_threshold=50.0)
    assert expected.sum() > 300
    assert (canny(image, np.ones(image.shape, bool))[0] == expected).all()


def test_edges_beside_a_mask_are_those_of_scikit_image() -> None:
    from skimage.feature import canny as oracle

    image, mask = ground(4), np.ones((SIDE, SIDE), bool)
    mask[20:40, 30:60] = False
    options = {"sigma": 1.5, "low_threshold": 25.0, "high_threshold": 50.0}
    found, _ = canny(np.where(mask, image, 1e6), mask)
    assert (found == oracle(image, mask=mask, **options)).all()


@pytest.mark.parametrize("degrees", [0, 17, 30, 45, 63, 90, 121])
def test_a_roof_at_any_angle_is_straight(degrees: int) -> None:
    assert lines(roof(math.radians(degrees)))["line_share"] > 0.9


@pytest.mark.parametrize("period", [12, 16])
def test_a_chain_of_blobs_is_not(period: int) -> None:
    found = lines(beads(period), roof(0.0))
    assert found["line_share"] < 0.1
    assert found["line_share_reference"] > 0.9
    assert found["line_share_ratio"] == pytest.approx(
        found["line_share"] / found["line_share_reference"]
    )


def test_circles_and_noise_are_not_straight() -> None:
    circle = 60.0 + 120 * (np.hypot(ROWS - 48, COLS - 48) < 30)
    assert lines(circle)["line_share"] < 0.1
    assert lines(120 + RNG.normal(0, 40, (SIDE, SIDE)))["line_share"] < 0.05


def test_blur_draws_fewer_lines() -> None:
    reference = roof(0.5) * 0.3 + ground(13) * 0.2 + 60
    found = lines(ndimage.gaussian_filter(reference, 4), reference)
    assert found["line_density_ratio"] < 0.8


def test_lines_are_long_and_whole() -> None:
    edges = np.zeros((40, 60), bool)
    edges[5, 3:30] = True
    edges[15, 3:31] = True
    edges[25, 3:45] = True
    edges[25, 16:18] = False
    edges[35, 3:45] = True
    edges[35, 20:23] = False
    found = straight(edges, np.full(edges.shape, math.pi / 2))
    assert [int(found[row].sum()) for row in (5, 15, 25, 35)] == [0, 28, 40, 0]


def test_straight_segments_are_those_of_the_probabilistic_hough_transform() -> None:
    from skimage.draw import line as draw
    from skimage.transform import probabilistic_hough_line

    scene = np.maximum(roof(0.3), ground(5) * 0.8)
    edges, direction = canny(scene, np.ones(scene.shape, bool))
    on = np.zeros_like(edges)
    found = probabilistic_hough_line(edges, threshold=10, line_length=28, line_gap=2, rng=0)
    for (x0, y0), (x1, y1) in found:
        on[draw(y0, x0, y1, x1)] = True
    expected = edges & ndimage.binary_dilation(on, np.ones((3, 3)))
    ours = straight(edges, direction)
    assert expected.sum() > 100
    assert (ours & expected).sum() > 0.85 * expected.sum()
    assert abs(ours.sum() - expected.sum()) < 0.25 * expected.sum()


def test_a_flat_image_has_no_lines_and_no_ratio() -> None:
    found = lines(np.full((SIDE, SIDE), 80.0))
    assert all(math.isnan(found[f"line_share{part}"]) for part in ("", "_reference", "_ratio"))
    assert found["line_density"] == 0
    assert math.isnan(found["line_density_ratio"])


def test_lab_equals_scikit_image() -> None:
    from skimage.color import rgb2lab

    image = RNG.integers(0, 256, (3, 20, 30)).astype(float)
    expected = rgb2lab(image.transpose(1, 2, 0) / 255).transpose(2, 0, 1)
    assert lab(image, 0, 255) == pytest.approx(expected, abs=2e-3)


def test_lightness_takes_any_units() -> None:
    image = RNG.uniform(0, 1, (3, 8, 8))
    assert lab(image * 4000 + 100, 100, 4100) == pytest.approx(lab(image, 0, 1), abs=1e-9)


def contrast(sr: np.ndarray, reference: np.ndarray) -> dict[str, float]:
    meter = LocalContrast(0.0, 255.0)
    meter.update(whole(grey(sr), grey(reference)))
    return meter.results()


def test_gravel_on_flat_ground_is_its_own_deviation() -> None:
    flat = np.where(COLS < 48, 120.0, 120 + 60 * ((COLS // 8) % 2))
    gravel = RNG.normal(0, 6, flat.shape)
    found = contrast(flat + gravel, flat)
    # About 120 a grey level is 0.41 of L*.
    slope = float(np.diff(lab(grey(np.array([[119.5, 120.5]])), 0, 255)[0, 0])[0])
    assert found["flat_roughness"] == pytest.approx(6 * slope, rel=0.06)
    assert found["flat_roughness_reference"] == pytest.approx(0, abs=1e-5)


def test_blur_takes_contrast_from_edges_and_from_grain() -> None:
    reference = roof(0.4) + RNG.normal(0, 2, (SIDE, SIDE))
    assert contrast(ndimage.gaussian_filter(reference, 4), reference)["edge_contrast_ratio"] < 0.8
    grain = 120 + RNG.normal(0, 5, (SIDE, SIDE))
    assert contrast(ndimage.gaussian_filter(grain, 2), grain)["flat_roughness_ratio"] < 0.3
    same = contrast(reference, reference)
    assert same["edge_contrast_ratio"] == pytest.approx(1)
    assert same["flat_roughness_ratio"] == pytest.approx(1)


def test_places_are_chosen_in_the_reference_alone() -> None:
    reference, other = ground(6), ground(7)
    spread = local_spread(grey(reference), 0, 255)
    flat = spread <= np.quantile(spread, 0.25)
    expected = local_spread(grey(other), 0, 255)[flat].mean()
    assert contrast(other, reference)["flat_roughness"] == pytest.approx(expected)


def specks(sr: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    meter = Specks(0.0, 255.0)
    meter.update(whole(sr, reference, mask))
    return meter.results()["specks"]


def test_specks_are_counted_and_grey_ones_are_not() -> None:
    reference = np.full((3, SIDE, SIDE), 120.0)
    coloured, bright = reference.copy(), reference.copy()
    coloured[0, ::8, ::8] = 200
    bright[:, ::8, ::8] = 200
    assert specks(coloured, reference) == pytest.approx(1 / 64)
    assert specks(bright, reference) == 0
    assert specks(reference, coloured) == 0


def test_windows_with_invalid_pixels_have_no_specks() -> None:
    reference = np.full((3, SIDE, SIDE), 120.0)
    spoiled, mask = reference.copy(), np.ones((SIDE, SIDE), bool)
    spoiled[0, 40, 40], mask[40, 40] = 255, False
    assert specks(spoiled, reference, mask) == 0


def lattice(sr: np.ndarray, reference: np.ndarray, scale: int) -> dict[str, float]:
    meter = Seams(scale)
    meter.update(whole(grey(sr), grey(reference), scale=scale))
    return meter.results()


@pytest.mark.parametrize("scale", [4, 8])
def test_repeated_pixels_have_the_factor_for_a_lattice(scale: int) -> None:
    blocks = ground(8)[::scale, ::scale].repeat(scale, 0).repeat(scale, 1)
    # No step leads into the first row and column, so each axis has one line less.
    assert lattice(blocks, ground(8), scale)["lattice"] == pytest.approx(scale)


def test_a_comb_inside_the_cells_is_found_where_the_seam_index_is_blind() -> None:
    reference = ground(9)
    comb = reference + 12 * (COLS % 8 == 5)
    found = lattice(comb, reference, 8)
    assert found["lattice"] > 1.5
    assert found["lattice_reference"] < 1.2
    assert found["lattice_ratio"] == pytest.approx(found["lattice"] / found["lattice_reference"])
    assert found["seam"] < 1.0


def test_tiles_add_up_to_the_whole() -> None:
    reference, sr = ground(10), ground(10) + RNG.normal(0, 5, (SIDE, SIDE))
    names = ("specks", "lattice", "lattice_ratio")
    units = Units(0.0, 255.0, 8)
    image = whole(grey(sr) + RNG.normal(0, 9, (3, SIDE, SIDE)), grey(reference), scale=8)
    one, many = Suite(units, names), Suite(units, names)
    one.update(image)
    for tile in cut(image, 32, halo=16):
        many.update(tile)
    assert many.results() == pytest.approx(one.results())


def test_the_reference_is_measured_once_and_again_under_another_mask() -> None:
    tile = whole(grey(ground(11)), grey(ground(12)))
    calls = []

    def measure(image: np.ndarray, valid: np.ndarray) -> int:
        calls.append(valid)
        return len(calls)

    assert [tile.of_reference("x", measure), tile.of_reference("x", measure)] == [1, 1]
    masked = Tile(
        tile.hr_sr, tile.hr_reference, tile.hr_valid & (ROWS > 3), tile.core, kept=tile.kept
    )
    assert masked.of_reference("x", measure) == 2
