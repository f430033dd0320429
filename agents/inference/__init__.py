"""Answers, texts and scores of a trained policy."""
