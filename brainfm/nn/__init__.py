"""Layers without opinions."""
