"""What trains a policy on an environment, saves it and lets it answer."""
