"""Samples: drawn, cropped, batched, loaded."""
