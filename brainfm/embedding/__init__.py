"""Contrastive embeddings of plain arrays: sessions in memory, architectures by name, the loop, and what is kept."""
