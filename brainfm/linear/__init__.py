"""Linear regression at any size: one ridge engine for baselines, probes and encoding models."""
