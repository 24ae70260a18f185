"""The benchmark of the inference."""
