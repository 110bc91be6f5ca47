"""Command line of specgan: prepare, train, upscale, evaluate, models."""
