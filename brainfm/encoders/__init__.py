"""Batch to Tokens, one final class per file."""
