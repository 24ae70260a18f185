"""Benchmark of the inference: error rates and coverage on populations of known truth."""
