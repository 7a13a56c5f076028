"""Public archives: what each says it holds, and how its files are fetched and checked."""
