"""Hyperspectral cubes: the files that hold them, their wavelengths, reflectance on a grid."""
