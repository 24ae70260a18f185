"""Values on disk: fingerprints, distance tables and circuits."""
