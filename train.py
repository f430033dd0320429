"""Train an agent to align or write texts, and report scores: `python train.py --help`."""

from agents.commands.train import cli

if __name__ == "__main__":
    cli()
