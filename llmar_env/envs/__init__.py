"""The Markov decision processes and their Gymnasium shells."""
