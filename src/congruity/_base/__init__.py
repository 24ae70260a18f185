"""The ground floor: what every part of the package uses and that knows nothing of the question."""
