"""A displacement applied: cubes resampled to the grid of a scene."""
