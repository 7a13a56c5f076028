"""The grammar of recipes: read them, check them against signatures, say what was meant, build the parts."""
