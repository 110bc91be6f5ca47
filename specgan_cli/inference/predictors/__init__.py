"""Networks on devices, from tile to whole numbers."""
