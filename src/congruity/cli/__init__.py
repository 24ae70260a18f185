"""The command line. Imports what a command needs when it runs, so that ``--help`` is instant."""

from congruity.cli import circuit, flow, lists, zoo
from congruity.cli.app import app, main

__all__ = ["app", "circuit", "flow", "lists", "main", "zoo"]
