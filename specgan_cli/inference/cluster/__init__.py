"""One scene on many machines, by Dask."""
