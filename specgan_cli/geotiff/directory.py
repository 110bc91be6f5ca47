"""TIFF directories: read them from bytes, derive those of overviews, and lay out a file's head.

A file whose head, with every directory and every block table in it, comes before the first
block can be written strictly forwards.  So a killed run can be cut back to what it committed,
and the bytes of a finished file depend on nothing but the order of its blocks.  (TIFF 6.0,
section 2; BigTIFF as in libtiff.)
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

SUBFILE_TYPE, WIDTH, HEIGHT = 254, 256, 257
SAMPLES, PLANAR = 277, 284
BLOCK_WIDTH, BLOCK_HEIGHT, BLOCK_OFFSETS, BLOCK_COUNTS = 322, 323, 324, 325

NOT_IN_OVERVIEWS = frozenset({305, 306, 315, 270, 33550, 33922, 34264, 34735, 34736, 34737, 42112})
"""Tags of the whole file: text, georeference and GDAL's metadata."""

OVERVIEW = 1
"""Bits of NewSubfileType."""

LONG, LONG8 = 4, 16
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
SIZES |= {16: 8, 17: 8, 18: 8}


@dataclass(frozen=True)
class Field:
    """One entry of a directory."""

    kind: int
    """TIFF type number."""
    data: bytes
    """The values, little-endian."""

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self.data) // SIZES[self.kind]

    @property
    def numbers(self) -> npt.NDArray[np.uint64]:
        """The values of an unsigned field."""
        return np.frombuffer(self.data, f"<u{SIZES[self.kind]}").astype(np.uint64)


Directory = dict[int, Field]


@dataclass(frozen=True)
class TileIndex:
    """Where a directory's block offsets and byte counts lie in the file."""

    offsets_at: int
    """Bytes from the start of the file."""
    counts_at: int
    """Bytes from the start of the file."""
    blocks: int
    """How many blocks the directory has, of all planes."""
    blocks_yx: tuple[int, int]
    """Rows and columns of blocks in one plane."""


@dataclass(frozen=True)
class TiffHeader:
    """The first bytes of a TIFF: header, directories, empty block tables."""

    data: bytes
    """Everything before the first block."""
    tables: tuple[TileIndex, ...]
    """One for each directory, in file order."""
    big: bool
    """BigTIFF: offsets of 8 bytes."""


def first_uint(directory: Directory, tag: int, default: int = 0) -> int:
    """Return the first value of an unsigned field."""
    return int(directory[tag].numbers[0]) if tag in directory else default


def blocks_yx(directory: Directory) -> tuple[int, int]:
    """Return the rows and columns of blocks in one plane of a tiled directory."""
    return (
        math.ceil(first_uint(directory, HEIGHT) / first_uint(directory, BLOCK_HEIGHT)),
        math.ceil(first_uint(directory, WIDTH) / first_uint(directory, BLOCK_WIDTH)),
    )


def planes(directory: Directory) -> int:
    """Return how many planes of blocks there are: 1, or one per band."""
    return first_uint(directory, SAMPLES, 1) if first_uint(directory, PLANAR, 1) == 2 else 1


def read_directories(data: Any) -> tuple[list[Directory], bool]:
    """Read all directories of a little-endian TIFF held in memory.

    Returns:
        (directories in file order, whether it is a BigTIFF).

    Raises:
        ValueError: It is no such TIFF.
    """
    magic, version = struct.unpack_from("<2sH", data)
    if magic != b"II" or version not in (42, 43):
        raise ValueError("not a little-endian TIFF")
    big = version == 43
    at = struct.unpack_from("<Q" if big else "<I", data, 8 if big else 4)[0]
    directories = []
    while at:
        directory, at = _read_directory(data, at, big)
        directories.append(directory)
    return directories, big


def _read_directory(data: Any, at: int, big: bool) -> tuple[Directory, int]:
    entries = struct.unpack_from("<Q" if big else "<H", data, at)[0]
    at += 8 if big else 2
    inline, step = (8, 20) if big else (4, 12)
    directory: Directory = {}
    for _ in range(entries):
        tag, kind, count = struct.unpack_from("<HHQ" if big else "<HHI", data, at)
        size = count * SIZES[kind]
        where = at + step - inline
        if size > inline:
            where = struct.unpack_from("<Q" if big else "<I", data, where)[0]
        directory[tag] = Field(kind, bytes(data[where : where + size]))
        at += step
    return directory, struct.unpack_from("<Q" if big else "<I", data, at)[0]


def overview_of(directory: Directory, level: int) -> Directory:
    """Return the directory of an overview whose pixels are 2 ** `level` times coarser."""
    overview = {tag: field for tag, field in directory.items() if tag not in NOT_IN_OVERVIEWS}
    kind = first_uint(directory, SUBFILE_TYPE) | OVERVIEW
    overview[SUBFILE_TYPE] = Field(LONG, struct.pack("<I", kind))
    for tag in (WIDTH, HEIGHT):
        size = -(-first_uint(directory, tag) >> level)
        overview[tag] = Field(LONG, struct.pack("<I", size))
    return overview


def lay_out(directories: list[Directory], big: bool) -> TiffHeader:
    """Return the head of a file with these directories and with empty block tables."""
    laid = [_with_empty_tables(directory, big) for directory in directories]
    inline, step, link = (8, 20, 8) if big else (4, 12, 4)
    prefix = 8 if big else 2
    at = 16 if big else 8
    starts: list[int] = []
    places: list[dict[int, int]] = []
    for directory in laid:
        starts.append(at)
        place = {tag: at + prefix + i * step + step - inline for i, tag in enumerate(directory)}
        at += prefix + len(directory) * step + link
        for tag, field in directory.items():
            if len(field.data) > inline:
                at += -at % 8
                place[tag] = at
                at += len(field.data)
        at += -at % 8
        places.append(place)
    data = bytearray(at)
    data[: 16 if big else 8] = (
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, starts[0])
        if big
        else struct.pack("<2sHI", b"II", 42, starts[0])
    )
    for i, directory in enumerate(laid):
        following = starts[i + 1] if i + 1 < len(laid) else 0
        _pack(data, directory, starts[i], places[i], following, big)
    tables = tuple(
        TileIndex(
            place[BLOCK_OFFSETS],
            place[BLOCK_COUNTS],
            directory[BLOCK_COUNTS].count,
            blocks_yx(directory),
        )
        for directory, place in zip(laid, places, strict=True)
    )
    return TiffHeader(bytes(data), tables, big)


def _with_empty_tables(directory: Directory, big: bool) -> Directory:
    rows, cols = blocks_yx(directory)
    blocks = rows * cols * planes(directory)
    kind = LONG8 if big else LONG
    full = {
        **directory,
        BLOCK_OFFSETS: Field(kind, bytes(blocks * SIZES[kind])),
        BLOCK_COUNTS: Field(LONG, bytes(blocks * SIZES[LONG])),
    }
    return dict(sorted(full.items()))


def _pack(
    data: bytearray,
    directory: Directory,
    at: int,
    place: dict[int, int],
    following: int,
    big: bool,
) -> None:
    entry, pointer = ("<HHQ", "<Q") if big else ("<HHI", "<I")
    inline = 8 if big else 4
    struct.pack_into("<Q" if big else "<H", data, at, len(directory))
    at += 8 if big else 2
    for tag, field in directory.items():
        struct.pack_into(entry, data, at, tag, field.kind, field.count)
        at += struct.calcsize(entry)
        if len(field.data) > inline:
            struct.pack_into(pointer, data, at, place[tag])
        data[place[tag] : place[tag] + len(field.data)] = field.data
        at += inline
    struct.pack_into(pointer, data, at, following)
