"""Benchmark of the theory: theorems on random instances, and the cost of exact enumeration."""
