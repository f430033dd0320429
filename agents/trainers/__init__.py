"""Trainers, which train a policy on an environment, save and load it, and answer with it."""
