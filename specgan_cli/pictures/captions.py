"""Text and a scale bar below a picture."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

FONT = 14
"""Pixels of a line of text."""

STRIP = 3 * FONT
"""Pixels of height that captions take."""

LONGEST_BAR = 0.4
"""Share of a panel that the scale bar takes at most."""


def captioned(
    picture: NDArray[np.uint8],
    captions: Sequence[str],
    places: Sequence[int],
    pixel: float | None = None,
) -> NDArray[np.uint8]:
    """Add a white strip below a row of panels, with a caption below each and a scale bar.

    Args:
        picture: H x W x 3.
        captions: One a panel.
        places: First column of each panel.
        pixel: Metres of a pixel; None for no bar.

    Returns:
        (H + STRIP) x W x 3.
    """
    height, width = picture.shape[:2]
    sheet = Image.new("RGB", (width, height + STRIP), "white")
    sheet.paste(Image.fromarray(picture))
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(FONT)
    for caption, left in zip(captions, places, strict=True):
        draw.text((left + 2, height + 2), caption, "black", font)
    if pixel is not None:
        panel = places[1] if len(places) > 1 else width
        metres = round_length(LONGEST_BAR * panel * pixel)
        right = 2 + round(metres / pixel)
        top = height + 2 + 2 * FONT
        draw.line([(2, top), (right, top)], "black", 3)
        draw.text((right + 6, top - FONT // 2 - 2), length(metres), "black", font)
    return np.asarray(sheet)


def round_length(most: float) -> float:
    """Return the largest of 1, 2 or 5 times a power of ten that is not above `most` metres."""
    power = 10.0 ** math.floor(math.log10(most))
    return max(step * power for step in (1, 2, 5) if step * power <= most * (1 + 1e-9))


def length(metres: float) -> str:
    """Write a length in metres or kilometres."""
    return f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
