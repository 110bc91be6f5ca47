"""One file a command: its options, its help, one call into its workflow."""
