"""Whole scenes through a network: tiles, pipeline, journal, clusters."""
