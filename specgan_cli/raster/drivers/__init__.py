"""What GDAL's drivers need and offer: its cache, VRTs, products as they come, arrays."""
