"""The application that the commands join, their shared options, and what the user sees of an error."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

app = typer.Typer(
    help="Do two neural networks solve a task the same way?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]
Prompts = Annotated[int, typer.Option("--prompts", help="Prompts of a built-in task.")]
Count = Annotated[int, typer.Option("--implementations", "-n", help="Admitted implementations a side.")]
Seed = Annotated[int, typer.Option(min=0, help="Seed of every random stream.")]
TaskName = Annotated[str, typer.Option("--task", help="A task's name, or your own .csv or .jsonl file.")]


def main() -> None:
    """Run the command line: one sentence and an exit code for what is the input's fault."""
    # One program, one kind of progress bar: ours. Must be set before the libraries are imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    from congruity.errors import CongruityError

    try:
        app()
    except CongruityError as error:
        print(f"congruity: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
    except SystemExit as stop:
        if stop.code == 130:  # what typer makes of Ctrl-C
            print(
                "congruity: interrupted; nothing was left half-written, and what is cached stays good", file=sys.stderr
            )
        raise


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False) -> None:
    if version:
        from congruity import __version__

        print(__version__)
        raise typer.Exit
