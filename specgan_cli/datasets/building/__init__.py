"""Making a dataset from a list of rasters."""
