"""A small Sentinel-2 product of real structure: SAFE folder, metadata and JPEG 2000 bands."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from affine import Affine

from support.rasters import write_raster

DATE, TILE = "20230823T095559", "T34UCF"
LEFT_TOP = (300000, 6100020)
_BANDS = (("B02", "B2", 1, 492.3), ("B03", "B3", 2, 559.0), ("B04", "B4", 3, 665.0))
_ALL_BANDS = (*_BANDS, ("B08", "B8", 7, 833.0))
_JP2 = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES"}


def write_safe(
    folder: Path,
    bands: Mapping[str, np.ndarray],
    *,
    level: str = "2A",
    offset: int | None = -1000,
    quantification: int = 10000,
) -> Path:
    """Write a product with its 10 m bands B02, B03, B04 and B08, and return its SAFE folder.

    Args:
        folder: Where the product is put.
        bands: Rows x columns of uint16 for each name.
        level: 2A for surface reflectance, 1C for that at the top of the atmosphere.
        offset: What is added to the values; None before processing baseline 04.00.
        quantification: Value of reflectance 1, without the offset.
    """
    name = f"S2B_MSIL{level}_{DATE}_N0509_R122_{TILE}_20230823T124759.SAFE"
    granule = f"GRANULE/L{level}_{TILE}_A033753_20230823T095553"
    images = f"{granule}/IMG_DATA" + ("/R10m" if level == "2A" else "")
    safe = folder / name
    (safe / images).mkdir(parents=True)
    ending = "_10m" if level == "2A" else ""
    files = {band: f"{images}/{TILE}_{DATE}_{band}{ending}" for band in bands}
    for band, path in files.items():
        place = Affine(10, 0, LEFT_TOP[0], 0, -10, LEFT_TOP[1])
        write_raster(
            safe / f"{path}.jp2", bands[band][None], crs="EPSG:32634", transform=place, **_JP2
        )
    (safe / f"MTD_MSIL{level}.xml").write_text(
        _product(level, name, granule, list(files.values()), offset, quantification)
    )
    shape = next(iter(bands.values())).shape
    (safe / granule / "MTD_TL.xml").write_text(_tile(level, shape))
    return safe


def zip_safe(safe: Path) -> Path:
    """Zip a SAFE folder as it is downloaded."""
    return Path(shutil.make_archive(str(safe.with_suffix("")), "zip", safe.parent, safe.name))


def _product(
    level: str, name: str, granule: str, files: list[str], offset: int | None, quantification: int
) -> str:
    kind, prefix = ("BOA", "BOA_ADD") if level == "2A" else ("", "RADIO_ADD")
    listed = "".join(f"<IMAGE_FILE>{file}</IMAGE_FILE>" for file in files)
    spectra = "".join(
        f'<Spectral_Information bandId="{number}" physicalBand="{band}">'
        f'<RESOLUTION>10</RESOLUTION><Wavelength><MIN unit="nm">{nm - 20}</MIN>'
        f'<MAX unit="nm">{nm + 20}</MAX><CENTRAL unit="nm">{nm}</CENTRAL></Wavelength>'
        "</Spectral_Information>"
        for _, band, number, nm in _ALL_BANDS
    )
    if kind:
        quantified = (
            '<QUANTIFICATION_VALUES_LIST><BOA_QUANTIFICATION_VALUE unit="none">'
            f"{quantification}</BOA_QUANTIFICATION_VALUE></QUANTIFICATION_VALUES_LIST>"
        )
    else:
        quantified = f'<QUANTIFICATION_VALUE unit="none">{quantification}</QUANTIFICATION_VALUE>'
    offsets = "" if offset is None else _offsets(level, prefix, offset)
    product = f"Level-{level}_User_Product"
    url = f"https://psd-14.sentinel2.eo.esa.int/PSD/User_Product_Level-{level}.xsd"
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<n1:{product} xmlns:n1="{url}">'
        "<n1:General_Info><Product_Info>"
        f"<PRODUCT_URI>{name}</PRODUCT_URI>"
        f"<PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI{level}"
        "</PRODUCT_TYPE><PROCESSING_BASELINE>05.09</PROCESSING_BASELINE>"
        "<Datatake><SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME></Datatake>"
        "<Query_Options><PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT></Query_Options>"
        "<Product_Organisation><Granule_List>"
        f'<Granule granuleIdentifier="{Path(granule).name}" imageFormat="JPEG2000">{listed}'
        "</Granule></Granule_List></Product_Organisation></Product_Info>"
        "<Product_Image_Characteristics><Special_Values><SPECIAL_VALUE_TEXT>NODATA"
        "</SPECIAL_VALUE_TEXT><SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>"
        "<Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>"
        f"<SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>{quantified}{offsets}"
        f"<Spectral_Information_List>{spectra}</Spectral_Information_List>"
        f"</Product_Image_Characteristics></n1:General_Info></n1:{product}>"
    )


def _offsets(level: str, prefix: str, offset: int) -> str:
    outer = "BOA_ADD_OFFSET_VALUES_LIST" if level == "2A" else "Radiometric_Offset_List"
    tag = f"{prefix}_OFFSET"
    each = "".join(f'<{tag} band_id="{number}">{offset}</{tag}>' for number in range(13))
    return f"<{outer}>{each}</{outer}>"


def _tile(level: str, shape_yx: tuple[int, int]) -> str:
    url = f"https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-{level}_Tile_Metadata.xsd"
    sizes = "".join(
        f'<Size resolution="{m}"><NROWS>{shape_yx[0] * 10 // m}</NROWS>'
        f"<NCOLS>{shape_yx[1] * 10 // m}</NCOLS></Size>"
        for m in (10, 20, 60)
    )
    places = "".join(
        f'<Geoposition resolution="{m}"><ULX>{LEFT_TOP[0]}</ULX><ULY>{LEFT_TOP[1]}</ULY>'
        f"<XDIM>{m}</XDIM><YDIM>-{m}</YDIM></Geoposition>"
        for m in (10, 20, 60)
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<n1:Level-{level}_Tile_ID '
        f'xmlns:n1="{url}"><n1:Geometric_Info><Tile_Geocoding metadataLevel="Brief">'
        "<HORIZONTAL_CS_NAME>WGS84 / UTM zone 34N</HORIZONTAL_CS_NAME>"
        f"<HORIZONTAL_CS_CODE>EPSG:32634</HORIZONTAL_CS_CODE>{sizes}{places}</Tile_Geocoding>"
        f"</n1:Geometric_Info></n1:Level-{level}_Tile_ID>"
    )
