"""The command line. Imports what a command needs when it runs, so that ``--help`` is instant."""

from congruity.cli import flow, lists
from congruity.cli.app import app, main

__all__ = ["app", "flow", "lists", "main"]
