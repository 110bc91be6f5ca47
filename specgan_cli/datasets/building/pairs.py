"""Lists of RGB images with or without cubes, as users keep them."""

import csv
import logging
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from specgan import files
from specgan_cli.cubes.wavelengths import inline_bands
from specgan_cli.datasets.manifest import HSI_KINDS, SPLITS, HsiKind, Split
from specgan_cli.errors import DatasetError, reason
from specgan_cli.raster.bands import BandSpec, band_of

logger = logging.getLogger(__name__)

SUFFIXES = frozenset(
    {".tif", ".tiff", ".vrt", ".png", ".webp", ".jp2", ".jpg", ".jpeg", ".img", ".dat", ".bsq"}
    | {".nc", ".h5", ".he5", ".hdr"}
)
"""Endings that are taken for rasters when a folder is listed."""

COLUMNS = (
    "rgb",
    "hsi",
    "group",
    "split",
    "label",
    "gsd",
    "hsi_kind",
    "wavelengths",
    "hsi_scale",
    "hsi_gsd",
    "nodata",
    "bands",
)
"""Columns of a list; only `rgb` is needed."""

_SPLIT_NAMES: dict[str, Split] = {name: name for name in SPLITS} | {"valid": "val"}
_PUBLISHED = ("train", "valid", "test")


@dataclass(frozen=True)
class ImagePair:
    """One high-resolution RGB image and what is known about it."""

    rgb: str
    """RGB raster, as the list names it."""
    root: Path
    """Folder that relative names start from."""
    hsi: str | None = None
    """Cube of the same ground, as the list names it."""
    group: str | None = None
    """Images of one group share a split; the file's stem by default."""
    split: Split | None = None
    """Part of the dataset, where the list decides it."""
    label: str | None = None
    """Class of the scene."""
    gsd: float | None = None
    """Size of a pixel in metres, for images without a georeference."""
    hsi_kind: HsiKind = "none"
    """Whether the cube was measured or simulated."""
    wavelengths: str | None = None
    """Table of the cube's wavelengths, as the list names it, or the wavelengths themselves."""
    hsi_scale: float | None = None
    """Stored value of reflectance 1."""
    hsi_gsd: float | None = None
    """Pixel size in metres to which a finer cube is averaged in the dataset."""
    nodata: float | str | None = None
    """Value of missing RGB pixels instead of the file's, or `none`."""
    bands: BandSpec | None = None
    """Red, green and blue band of the RGB, by number, name or wavelength; None to find them."""

    def path(self, name: str) -> Path:
        """Return where a file named by the list lies."""
        return self.root / name

    @property
    def guided_by_itself(self) -> bool:
        """Whether the cube is the image's own file, which lies on itself."""
        return self.hsi is not None and self.path(self.hsi) == self.path(self.rgb)

    @property
    def group_name(self) -> str:
        """The group, or the RGB file's stem."""
        return self.group or Path(self.rgb).stem


def read_pairs(
    sources: Sequence[str | Path], hsi_dir: str | Path | None = None, root: Path | None = None
) -> list[ImagePair]:
    """Read every way in which pairs may be given.

    Args:
        sources: CSV lists; folders in the published layout (`train|valid|test` holding `RGBHR` and
            `HSI`); folders of images; single images.
        hsi_dir: Folder of cubes with the stems of the images in the folders given.
        root: Folder that the names in lists start from; each list's own by default.

    Returns:
        The pairs, in the order given; within a folder by name.

    Raises:
        DatasetError: A list is malformed, a file is missing, or an image is named twice.
    """
    pairs: list[ImagePair] = []
    for source in map(Path, sources):
        if source.suffix.lower() == ".csv":
            pairs += _read_csv(source, root)
        elif source.is_dir() and any((source / part / "RGBHR").is_dir() for part in _PUBLISHED):
            pairs += _read_published(source)
        elif source.is_dir():
            pairs += _match(source, None if hsi_dir is None else Path(hsi_dir))
        elif source.exists():
            pairs.append(ImagePair(str(source), Path()))
        else:
            raise DatasetError(f"{source}: no such list, folder or image")
    if not pairs:
        raise DatasetError(f"no image in {', '.join(map(str, sources))}; name lists or folders")
    _check_files(pairs)
    return pairs


def _read_csv(path: Path, root: Path | None) -> list[ImagePair]:
    base = path.parent if root is None else root
    files.check_regular(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, skipinitialspace=True)
            columns = [name.strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path} cannot be read as a CSV list ({reason(error)})") from None
    if "rgb" not in columns:
        raise DatasetError(
            f"{path} has no column `rgb`; its first line must name columns of: {', '.join(COLUMNS)}"
        )
    if unknown := sorted(set(columns) - set(COLUMNS)):
        logger.warning("%s: columns %s are not used", path, ", ".join(unknown))
    return [
        _parse_row({key: (value or "").strip() for key, value in row.items() if key}, base, where)
        for number, row in enumerate(rows, 2)
        if any((value or "") for key, value in row.items() if key)
        for where in [f"{path}, line {number}"]
    ]


def _parse_row(row: dict[str, str], base: Path, where: str) -> ImagePair:
    if not row["rgb"]:
        raise DatasetError(f"{where}: names no RGB image")
    split, hsi = row.get("split", ""), row.get("hsi") or None
    if split and split not in _SPLIT_NAMES:
        raise DatasetError(f"{where}: split {split!r} is none of train, val, valid, test")
    kind = row.get("hsi_kind") or ("real" if hsi else "none")
    if kind not in HSI_KINDS or (kind == "none") != (hsi is None):
        raise DatasetError(
            f"{where}: hsi_kind {kind!r} does not fit; use real or simulated with a cube, "
            "none without one"
        )
    return ImagePair(
        rgb=row["rgb"],
        root=base,
        hsi=hsi,
        group=row.get("group") or None,
        split=_SPLIT_NAMES[split] if split else None,
        label=row.get("label") or None,
        gsd=_positive(row.get("gsd", ""), "gsd", where),
        hsi_kind=kind,
        wavelengths=row.get("wavelengths") or None,
        hsi_scale=_positive(row.get("hsi_scale", ""), "hsi_scale", where),
        hsi_gsd=_positive(row.get("hsi_gsd", ""), "hsi_gsd", where),
        nodata=row.get("nodata") or None,
        bands=_bands(row.get("bands", ""), where),
    )


def _bands(text: str, where: str) -> BandSpec | None:
    """Read red, green and blue, with spaces, commas or semicolons between them."""
    if not text:
        return None
    words = [word.strip() for word in re.split("[,;]", text) if word.strip()]
    words = words if len(words) > 1 else text.split()
    if len(words) != 3:
        raise DatasetError(f"{where}: bands {text!r} are not three, such as 3 2 1 or B04 B03 B02")
    return tuple(band_of(word) for word in words)


def _positive(text: str, name: str, where: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise DatasetError(f"{where}: {name} {text!r} is not a number above 0")
    return value


def _read_published(folder: Path) -> list[ImagePair]:
    pairs = []
    for part in _PUBLISHED:
        images = folder / part / "RGBHR"
        if images.is_dir():
            cubes = folder / part / "HSI"
            found = _match(images, cubes if cubes.is_dir() else None)
            pairs += [
                replace(pair, split=_SPLIT_NAMES[part], group=f"{part}/{Path(pair.rgb).stem}")
                for pair in found
            ]
    return pairs


def _match(images: Path, cubes: Path | None) -> list[ImagePair]:
    """Pair the rasters of two folders by their stems."""
    by_stem = {} if cubes is None else _by_stem(cubes)
    pairs = []
    for stem, image in sorted(_by_stem(images).items()):
        cube = by_stem.pop(stem, None)
        hsi = None if cube is None else str(cube)
        pairs.append(ImagePair(str(image), Path(), hsi=hsi, hsi_kind="real" if cube else "none"))
    if cubes is not None and not any(pair.hsi for pair in pairs):
        raise DatasetError(f"{cubes}: no cube has the name of an image in {images}")
    if by_stem:
        logger.warning("%s: %d cubes have no image of their name", cubes, len(by_stem))
    return pairs


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES - {".hdr"} or not path.is_file():
            continue
        if path.stem in found:
            raise DatasetError(f"{folder}: {found[path.stem].name} and {path.name} share a name")
        found[path.stem] = path
    return found


def _check_files(pairs: Iterable[ImagePair]) -> None:
    seen: set[Path] = set()
    missing = []
    for pair in pairs:
        path = pair.path(pair.rgb)
        if path in seen:
            raise DatasetError(f"{pair.rgb} is named twice; each image may stand in one list once")
        seen.add(path)
        table = None if inline_bands(pair.wavelengths or "") else pair.wavelengths
        names = (pair.rgb, pair.hsi, table)
        missing += [name for name in names if name and not _exists(pair.path(name))]
    if missing:
        shown = ", ".join(missing[:3]) + (" ..." if len(missing) > 3 else "")
        files_are = "file of the lists is" if len(missing) == 1 else "files of the lists are"
        raise DatasetError(
            f"{len(missing)} {files_are} missing: {shown}; names are relative to the list, or to "
            "--root"
        )


def _exists(path: Path) -> bool:
    """Whether a file is there; names that only GDAL understands are taken on trust."""
    text = str(path)
    return path.exists() or "/vsi" in text or ":" in text[2:]
