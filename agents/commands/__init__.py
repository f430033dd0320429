"""The command line: a module for each command.

Arguments are read before torch is loaded, so these modules import heavy packages inside functions.
"""
