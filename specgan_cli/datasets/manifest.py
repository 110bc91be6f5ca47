"""Records of `dataset.json`, the table of contents of a training dataset."""

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from specgan.bands import CANONICAL_BANDS, Bands
from specgan.serde import from_plain, parse_json, to_plain
from specgan_cli.datasets.degradation import Degradation
from specgan_cli.errors import DatasetError, reason
from specgan_cli.types import Mask

FORMAT = "specgan-dataset"
VERSION = 1
MANIFEST = "dataset.json"

Split = Literal["train", "val", "test"]
HsiKind = Literal["real", "simulated", "none"]

SPLITS: tuple[Split, ...] = get_args(Split)
HSI_KINDS: tuple[HsiKind, ...] = get_args(HsiKind)


@dataclass(frozen=True)
class ChipRecord:
    """One chip: where it came from, where it lies on the ground and where its pixels are."""

    id: str
    """Unique name: the source's stem, then `_row_col` of its first HR pixel in the source."""
    split: Split
    """Part of the dataset."""
    group: str
    """Chips of one group share ground or a scene, and so share their split."""
    label: str | None
    """Class of the scene, where one is known."""
    source: str
    """RGB file, as its list named it."""
    hsi_source: str | None
    """HSI file, as its list named it."""
    hsi_kind: HsiKind
    """Whether the cube was measured, simulated, or is missing."""
    crs: str | None
    """CRS of `bounds`, as `AUTHORITY:CODE` or WKT."""
    bounds: tuple[float, float, float, float] | None
    """Left, bottom, right, top in `crs`; None where the source has no georeference."""
    gsd: float
    """Size of an HR pixel, metres."""
    shape_yx: tuple[int, int]
    """HR rows and columns."""
    shard: str
    """Name of the shard that holds the pixels."""
    index: int
    """Position in the shard."""
    hsi_known: tuple[int, ...] | None = None
    """Bands, from 0, that the cube measures; the others hold the nearest one's values. None for
    all."""

    def known_bands(self, count: int) -> Mask:
        """Return which of `count` bands the cube measures: bands x 1 x 1."""
        known = np.full(count, self.hsi_known is None)
        known[list(self.hsi_known or ())] = True
        return known[:, None, None]


@dataclass(frozen=True)
class FileRecord:
    """One array file of a shard."""

    sha256: str
    """Hash of the whole file, hexadecimal."""
    bytes: int
    """Size of the file."""


@dataclass(frozen=True)
class ShardRecord:
    """Arrays of chips of equal shape, one `.npy` file per kind."""

    name: str
    """`<split>-NNNN`; the files are `shards/<name>.<kind>.npy`."""
    split: Split
    """Part of the dataset."""
    count: int
    """Number of chips."""
    shape_yx: tuple[int, int]
    """HR rows and columns of every chip."""
    hsi_factor: int | None
    """HR pixels per HSI pixel, a power of two; None without HSI."""
    files: dict[str, FileRecord]
    """`rgb`, `mask` and, with HSI, `hsi` and `hsi_mask`."""


@dataclass(frozen=True)
class Statistics:
    """Means, spreads and ranges of the valid pixels of the training split."""

    hsi_mean: tuple[float, ...]
    """Mean reflectance per band, 0..1."""
    hsi_std: tuple[float, ...]
    """Standard deviation of reflectance per band."""
    hsi_pixels: int
    """HSI pixels counted."""
    rgb_mean: tuple[float, ...]
    """Mean per band, in stored units."""
    rgb_std: tuple[float, ...]
    """Standard deviation per band, in stored units."""
    rgb_pixels: int
    """RGB pixels counted."""
    rgb_low: float
    """Stored value that stands for -1."""
    rgb_high: float
    """Stored value that stands for +1."""


@dataclass(frozen=True)
class Rejected:
    """Something that was left out of the dataset."""

    source: str
    """File or chip."""
    reason: str
    """Why, in words."""


@dataclass(frozen=True)
class Manifest:
    """All of `dataset.json`."""

    scale: int
    """Largest factor that every chip's size divides by."""
    degradation: Degradation
    """The operator that makes LR from HR when chips are read."""
    statistics: Statistics
    """Statistics of the training split."""
    shards: tuple[ShardRecord, ...]
    """Shards, by name."""
    chips: tuple[ChipRecord, ...]
    """Chips, by shard and index."""
    rejected: tuple[Rejected, ...] = ()
    """What was left out."""
    bands: Bands = CANONICAL_BANDS
    """Bands of the cubes."""
    options: dict[str, Any] = field(default_factory=dict)
    """How the dataset was prepared, for the reader's information."""

    def write(self, folder: Path) -> None:
        """Write `dataset.json` into a folder."""
        document = {"format": FORMAT, "version": VERSION, **to_plain(self)}
        text = json.dumps(document, indent=1, sort_keys=True, allow_nan=False)
        (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read and check `dataset.json`.

    Raises:
        DatasetError: The folder holds no dataset, or one that this version cannot read.
    """
    path = folder / MANIFEST
    try:
        document = parse_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(
            f"{folder} is no dataset: it has no {MANIFEST}; make one with `specgan prepare`"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(
            f"{path} cannot be read ({reason(error)}); prepare the dataset again"
        ) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise DatasetError(f"{path} is not a {FORMAT} file; name a folder made by specgan prepare")
    if document.get("version") != VERSION:
        raise DatasetError(
            f"{path} has version {document.get('version')}, this program reads {VERSION}; "
            "prepare the dataset again"
        )
    try:
        del document["format"], document["version"]
        manifest = from_plain(Manifest, document)
        _check_statistics(manifest)
        _check_places(manifest)
        return manifest
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise DatasetError(f"{path} is damaged ({error}); prepare the dataset again") from None


def _check_statistics(manifest: Manifest) -> None:
    found, bands = manifest.statistics, len(manifest.bands.wavelengths_nm)
    lengths = {"hsi_mean": bands, "hsi_std": bands, "rgb_mean": 3, "rgb_std": 3}
    for name, length in lengths.items():
        values = getattr(found, name)
        if len(values) != length:
            raise ValueError(f"statistics.{name}: {len(values)} values for {length} bands")
    if not found.rgb_low < found.rgb_high:
        raise ValueError(f"statistics.rgb_low: {found.rgb_low} is not below rgb_high")


def _check_places(manifest: Manifest) -> None:
    """Check that shards can be, and that every chip lies in one of them."""
    shards = {shard.name: shard for shard in manifest.shards}
    for name, shard in shards.items():
        factor = shard.hsi_factor
        kinds = {"rgb", "mask"} | (set() if factor is None else {"hsi", "hsi_mask"})
        if set(shard.files) != kinds:
            raise ValueError(f"shard {name}: files {sorted(shard.files)}, expected {sorted(kinds)}")
        if min(shard.count, *shard.shape_yx, factor or 1) < 1 or factor == 0:
            raise ValueError(f"shard {name}: count, shape_yx and hsi_factor should be at least 1")
    for chip in manifest.chips:
        home = shards.get(chip.shard)
        if home is None or not 0 <= chip.index < home.count or chip.shape_yx != home.shape_yx:
            raise ValueError(f"chip {chip.id}: no shard holds it")
        if not 0 < chip.gsd < math.inf:
            raise ValueError(f"chip {chip.id}: gsd {chip.gsd} should be above 0")
        known = chip.hsi_known or ()
        if not all(0 <= band < len(manifest.bands) for band in known):
            raise ValueError(f"chip {chip.id}: hsi_known names a band that there is not")
