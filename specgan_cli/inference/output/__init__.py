"""The output of a job: its file, its tags, its journal, and what takes finished tiles."""
