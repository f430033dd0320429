"""Train an agent to align text, or to write it, and report: `python train.py --help`."""

from agents.commands.train import cli

if __name__ == "__main__":
    cli()
