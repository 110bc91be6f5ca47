"""Pictures as PNG, without an image library (PNG specification, third edition)."""

import base64
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from specgan import files
from specgan_cli.errors import writing

_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
"""Of grey, RGB and RGBA."""


def encode(image: NDArray[np.uint8]) -> bytes:
    """Encode a picture.

    Args:
        image: H x W x C, uint8; C is 1 (grey), 3 (RGB) or 4 (RGBA).

    Returns:
        The bytes of a PNG file.

    Raises:
        ValueError: The array has another shape or type.
    """
    if image.ndim != 3 or image.shape[2] not in _COLOUR_TYPES or image.dtype != np.uint8:
        raise ValueError(
            f"a picture is H x W x 1, 3 or 4 of uint8, got {image.shape} {image.dtype}"
        )
    height, width, channels = image.shape
    rows = np.zeros((height, 1 + channels * width), np.uint8)  # each begins with filter 0: none
    rows[:, 1:] = image.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 9)
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a picture (as `encode` takes it) that appears complete or not at all.

    Raises:
        OutputError: It cannot be written.
    """
    with writing(path):
        files.write(path, encode(image))


def data_uri(image: NDArray[np.uint8]) -> str:
    """Return a picture as a `data:` URI that an HTML page can hold."""
    return "data:image/png;base64," + base64.b64encode(encode(image)).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
