"""Writing RGB pictures as PNG, without an image library (PNG specification, third edition)."""

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def encode_png(image: NDArray[np.uint8]) -> bytes:
    """Encode a picture.

    Args:
        image: H x W x 3, uint8.

    Returns:
        The bytes of a PNG file.

    Raises:
        ValueError: The array has another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f"a picture is H x W x 3 uint8, got {image.shape} {image.dtype}")
    height, width, _ = image.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with filter 0: none
    rows[:, 1:] = image.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 6)
    chunks = (_chunk(b"IHDR", head), _chunk(b"IDAT", data), _chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def write_png(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a picture (H x W x 3, uint8) to a file."""
    path.write_bytes(encode_png(image))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
