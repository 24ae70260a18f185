"""Networks of the pipeline whose algorithm is known: causal models, compiled RASP programs, trained pairs."""
