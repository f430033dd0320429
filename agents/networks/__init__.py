"""The networks, as torch modules independent of reinforcement learning."""
