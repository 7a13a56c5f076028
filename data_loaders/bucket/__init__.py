"""A store behind an address: ranges of bytes over fsspec, verified, kept in a cache that all processes of a machine share."""
