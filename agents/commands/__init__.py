"""The command line: one module for each command.

Arguments are parsed before torch is loaded, so these modules import heavy packages in functions.
"""
