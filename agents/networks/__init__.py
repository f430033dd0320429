"""The networks, as torch modules that know nothing of reinforcement learning."""
