"""The command line. Imports what a command needs when it runs, so that ``--help`` is instant."""

from congruity.cli import circuit, evaluate, flow, lists, zoo
from congruity.cli.app import app, main

__all__ = ["app", "circuit", "evaluate", "flow", "lists", "main", "zoo"]
