"""Networks whose algorithm is known: causal models, compiled programs, trained zoos. The core never imports them."""
