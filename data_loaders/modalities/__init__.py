"""How foreign files become a stored Recording, one file per kind of signal."""
