"""One HTML page per run: `page.write` makes it."""
