"""Alignment scores and rewards."""
