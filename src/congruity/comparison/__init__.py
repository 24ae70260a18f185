"""The light half: from two fingerprints to a `Congruity`. No model, no PyTorch."""
