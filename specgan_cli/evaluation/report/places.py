"""Where chips lie on the earth."""

from collections.abc import Iterable

from specgan_cli.datasets.dataset import ChipRecord


def places_of(records: Iterable[ChipRecord]) -> dict[str, tuple[float, float]]:
    """Return longitude and latitude, degrees, of the centres of the chips that have a place."""
    import pyproj

    transformers: dict[str, pyproj.Transformer] = {}
    places = {}
    for record in records:
        if record.crs is None or record.bounds is None:
            continue
        if record.crs not in transformers:
            transformers[record.crs] = pyproj.Transformer.from_crs(
                record.crs, "EPSG:4326", always_xy=True
            )
        left, bottom, right, top = record.bounds
        lon, lat = transformers[record.crs].transform((left + right) / 2, (bottom + top) / 2)
        places[record.id] = (float(lon), float(lat))
    return places
