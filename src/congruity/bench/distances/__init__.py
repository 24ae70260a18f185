"""Benchmark of the distances: seconds, certificates, other packages, devices."""
