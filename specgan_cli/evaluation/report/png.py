"""PNG pictures as bytes and as data URIs, with zlib alone."""

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from specgan_cli.evaluation.image_pair import Array, Mask

HEAT = np.array(
    [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]], np.float64
)
"""Colours of error maps, from none to much: dark violet to pale yellow."""


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Return an H x W x 3 (RGB) or H x W x 4 (RGBA) image as the bytes of a PNG file."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    raw = np.concatenate([np.zeros((height, 1), np.uint8), rows], axis=1).tobytes()
    header = struct.pack(">IIBBBBB", width, height, 8, {3: 2, 4: 6}[channels], 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def data_uri(pixels: NDArray[np.uint8]) -> str:
    """Return an image as a `data:` URI that an HTML page can hold."""
    return "data:image/png;base64," + base64.b64encode(encode(pixels)).decode()


def picture(image: Array, valid: Mask, low: float, high: float) -> NDArray[np.uint8]:
    """Return C x H x W in file units as H x W x 4; invalid pixels are transparent."""
    bands = image[[0, 0, 0]] if image.shape[0] < 3 else image[:3]
    scaled = np.clip((bands - low) / (high - low) * 255, 0, 255).round().astype(np.uint8)
    alpha = np.where(valid, 255, 0).astype(np.uint8)
    return np.concatenate([scaled, alpha[None]]).transpose(1, 2, 0)


def heat(values: Array, valid: Mask, top: float) -> NDArray[np.uint8]:
    """Return H x W values from 0 to `top` as an H x W x 4 heat map."""
    place = np.clip(values / top, 0, 1) * (len(HEAT) - 1)
    lower = np.minimum(place.astype(int), len(HEAT) - 2)
    share = (place - lower)[..., None]
    colours = HEAT[lower] * (1 - share) + HEAT[lower + 1] * share
    alpha = np.where(valid, 255, 0)[..., None]
    return np.concatenate([colours.round(), alpha], axis=2).astype(np.uint8)
