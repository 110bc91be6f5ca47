"""What one step of training does, for each kind of network."""
