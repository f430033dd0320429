"""What every way of training shares, and the supervised ones."""
