"""The benchmark on networks whose algorithm is known."""
