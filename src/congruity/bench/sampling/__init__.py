"""The benchmark of circuits and implementations."""
