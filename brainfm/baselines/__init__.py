"""Classical decoders that every model must beat, one per file."""
