"""Scenes, cubes, grids, alignment, tiles, writer and datasets: numpy, scipy and rasterio."""
