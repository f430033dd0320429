"""Clocks, validation, callbacks and regularizers for training, and supervised training."""
