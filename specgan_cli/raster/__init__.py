"""Scenes: grids, bands, masks, radiometry, areas, tiles."""
