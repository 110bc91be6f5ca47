"""The configuration of a training run: its schema, its file, its checks."""
