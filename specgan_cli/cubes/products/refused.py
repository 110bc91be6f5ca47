"""Products in HDF5 that are no reflectance on the ground, and what to use instead."""

from __future__ import annotations

from typing import Any

from specgan_cli.cubes.products.hdf5 import is_group
from specgan_cli.errors import RasterError

__all__ = ["refuse"]


def refuse(name: str, file: Any) -> None:
    """Raise for products of radiance, or in the sensor's geometry, with what to use instead.

    Raises:
        RasterError: It is one of them.
    """
    swaths = file.get("HDFEOS/SWATHS")
    names = list(swaths) if is_group(swaths) else []
    prisma = next((each[4:].partition("_")[0] for each in names if each.startswith("PRS_L")), None)
    if prisma == "L2C":
        raise RasterError(
            f"{name}: PRISMA L2C is not geocoded; use the L2D product of the same scene"
        )
    if prisma is not None:
        raise RasterError(
            f"{name}: PRISMA {prisma} is radiance, not reflectance; use the L2D product of the "
            "same scene"
        )
    if "radiance" in file and "sensor_band_parameters" in file:
        raise RasterError(
            f"{name}: EMIT L1B is radiance; use the L2A reflectance product (EMIT_L2A_RFL_...)"
        )
    if is_group(swaths) and (found := _largest(swaths)) is not None:
        raise RasterError(
            f"{name}: holds {found} in the sensor's geometry, not on the ground; use the "
            "orthorectified product, as GeoTIFF where there is one"
        )


def _largest(group: Any) -> str | None:
    """Return the path of the largest array of three dimensions."""
    found: list[tuple[int, str]] = []

    def look(_: str, node: Any) -> None:
        if len(getattr(node, "shape", ())) == 3:
            found.append((node.size, node.name))

    group.visititems(look)
    return max(found)[1] if found else None
