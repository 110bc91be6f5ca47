"""What specgan does with scenes, cubes and datasets; `cli` is its command line."""
