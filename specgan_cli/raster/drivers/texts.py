"""Texts of rasters in another encoding than UTF-8, which rasterio cannot give."""

from typing import Any

from specgan_cli.errors import RasterError


def check_texts(dataset: Any, shown: str) -> None:
    """Raise, and close an open raster, if a text of it is not UTF-8.

    Args:
        dataset: Open with rasterio.
        shown: What messages call it.

    Raises:
        RasterError: Says the text.
    """
    try:
        for name in ("files", "descriptions", "units"):
            getattr(dataset, name)
    except UnicodeDecodeError as error:
        dataset.close()
        text = " ".join(error.object.decode(errors="replace").split())
        raise RasterError(
            f"{shown}: holds a text that is not UTF-8, {text!r}: a band's description or unit, or "
            "the name of a file; write it anew in UTF-8"
        ) from error
