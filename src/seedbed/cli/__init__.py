"""The command line. Importing it imports neither torch nor polars: each command imports what it needs when it runs."""

from seedbed.cli._app import main

__all__ = ["main"]
