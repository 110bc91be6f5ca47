"""What is read for a tile."""
