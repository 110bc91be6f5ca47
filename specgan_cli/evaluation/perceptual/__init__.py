"""Measures that look through the features of a trained network."""
