"""Products of sensors, each with a reader of its own."""
