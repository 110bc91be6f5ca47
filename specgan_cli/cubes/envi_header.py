"""ENVI headers that lie beside a raster in another format."""

from __future__ import annotations

import logging
import os
import re
from typing import Any

from specgan_cli.cubes.archive import names_beside, read_text
from specgan_cli.raster.drivers.units import NUMBER

__all__ = ["envi_list", "sidecar_header"]

logger = logging.getLogger(__name__)

_ITEM = re.compile(r"^\s*([^=\n{}]+?)[ \t]*=[ \t]*(\{[^}]*\}|[^\n]*)", re.MULTILINE)
_TYPES = {
    "1": "uint8",
    "2": "int16",
    "3": "int32",
    "4": "float32",
    "5": "float64",
    "12": "uint16",
    "13": "uint32",
    "14": "int64",
    "15": "uint64",
}
"""ENVI's numbers of data types."""


def envi_list(text: str) -> list[float]:
    """The numbers of an ENVI header value such as ``{450.1, 455.2}``."""
    return [float(number) for number in NUMBER.findall(text)]


def sidecar_header(dataset: Any) -> dict[str, str]:
    """Items of an ENVI header that lies beside a raster (``x.hdr`` or ``x.tif.hdr``).

    A header that describes another size or type is another file's, and not believed.

    Args:
        dataset: A `rasterio.DatasetReader`.
    """
    path = str(dataset.name)
    beside = set(names_beside(path))
    for candidate in (f"{os.path.splitext(path)[0]}.hdr", f"{path}.hdr"):
        if os.path.basename(candidate) not in beside:
            continue
        text = read_text(candidate)
        items = {key.lower().replace(" ", "_"): value.strip() for key, value in _ITEM.findall(text)}
        fault = None if dataset.driver == "ENVI" else _contradiction(items, dataset)
        if fault is None:
            return items
        logger.warning("%s: describes another raster (%s), so it is not believed", candidate, fault)
    return {}


def _contradiction(items: dict[str, str], dataset: Any) -> str | None:
    """Return what a header says that is not so, or None."""
    kind = items.get("data_type")
    facts = {
        "samples": str(dataset.width),
        "lines": str(dataset.height),
        "bands": str(dataset.count),
    }
    for key, fact in facts.items():
        if items.get(key, fact) != fact:
            return f"{items[key]} {key}, not {fact}"
    if kind in _TYPES and _TYPES[kind] != dataset.dtypes[0]:
        return f"{_TYPES[kind]}, not {dataset.dtypes[0]}"
    return None
