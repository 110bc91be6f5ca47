"""The network of the shipped weights: octave by octave, with context, style and noise."""
