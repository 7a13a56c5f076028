"""Frozen feature extractors for what the brain was shown: text, speech, images; and their alignment to the recording."""
