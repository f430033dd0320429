"""How well vectors say what should be said."""
