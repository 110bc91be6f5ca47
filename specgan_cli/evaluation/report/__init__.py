"""The report of an evaluation: summary, page, charts, panels."""
