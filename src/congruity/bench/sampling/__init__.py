"""Benchmark of circuits and implementations: patching, strength, changed copies, a positive control."""
