"""Errors that a user can act on.

Every message says what was wrong, where, with the values, and what to do. The command line prints the message
alone and exits with ``exit_code``; nothing else in the package catches these.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class CongruityError(Exception):
    """Base of every error that is the input's fault, not the program's."""

    exit_code = 2


class InputError(CongruityError, ValueError):
    """An argument, array or table that cannot be used: wrong shape, NaN, out of range."""


class UnknownNameError(InputError):
    """A name that no registry holds. The message names the nearest ones."""

    def __init__(self, what: str, name: str, known: Iterable[str], *, otherwise: str = "") -> None:
        options = sorted(known)
        near = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"known: {', '.join(options)}"
        super().__init__(f"no {what} is named {name!r}; {hint}" + (f" ({otherwise})" if otherwise else ""))


class HypothesisError(InputError):
    """A theorem is asked for where its hypothesis does not hold. The message names the hypothesis and its value."""


class ModelError(CongruityError):
    """A model that cannot be found, loaded, trusted or read."""


class TaskError(CongruityError):
    """A task whose examples do not fit the model: token lengths, multi-token answers, no rows."""


class StoreError(CongruityError):
    """A file that is truncated, edited, of another schema version, or cannot be written."""


class NotComparableError(CongruityError):
    """Two fingerprints that answer different questions: other queries, task or scaling."""


class NotApplicableError(CongruityError):
    """The question is void: a model cannot do the task, or nothing outside its circuit can be changed."""

    exit_code = 3


class MissingExtraError(CongruityError):
    """An optional dependency is not installed. The message is the command that installs it."""

    exit_code = 4
