"""The benchmark of the distances."""
