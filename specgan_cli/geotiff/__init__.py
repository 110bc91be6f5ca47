"""The GeoTIFF writer: tile by tile, resumable after a kill, complete or not there at all."""
