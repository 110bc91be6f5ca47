"""Training datasets as stored; numpy alone is enough to read them."""
