"""PNG pictures for people: quicklooks, previews, contact sheets."""
