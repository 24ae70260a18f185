"""The benchmark of the theory: every theorem on random instances, and the cost of enumeration."""
