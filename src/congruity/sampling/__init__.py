"""The heavy half: from a task and a model to a `Fingerprint`. PyTorch only behind protocols."""
