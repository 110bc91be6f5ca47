"""Measures of a pair of images, each mergeable over tiles."""
