"""What is written of a run, and what is checked before."""
