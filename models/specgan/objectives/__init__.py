"""What networks are trained against: losses, augmentation, discriminator, perception."""
