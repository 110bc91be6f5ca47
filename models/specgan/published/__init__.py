"""The network of the published paper, its discriminator and the import of its weights."""
