"""From raw text to vectors and back."""
