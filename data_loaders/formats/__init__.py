"""How the bytes of a foreign format become arrays, one file per format or concern."""
