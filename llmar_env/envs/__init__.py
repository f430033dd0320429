"""The Markov decision processes and the Gymnasium environments built on them."""
