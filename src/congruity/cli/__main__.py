"""``python -m congruity.cli``."""

from congruity.cli import main

main()
