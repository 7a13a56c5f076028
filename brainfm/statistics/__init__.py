"""Statistics on plain arrays and tables: metrics, bootstrap intervals, permutation chance, paired tests. No torch."""
