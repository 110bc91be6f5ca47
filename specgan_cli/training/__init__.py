"""The trainer: data, recipes, loop, checkpoints; numpy and torch, no raster library."""
