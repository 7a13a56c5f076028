"""Disk or bucket to Batch. Knows no model."""
