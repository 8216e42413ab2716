"""The command line: it parses, calls the core, and is the only part that prints.

Each command has a module of its own, imported when the command is used, so that ``hmcbench list``
loads no library that it does not need.
"""

from __future__ import annotations

import errno
import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from hmcbench.errors import HmcbenchError, close_matches

INTERRUPTED = 130
_ROOM = ". make room, then type the same command again."
_RIGHTS = ". name another folder or file, or ask for the right to use this one."
HINTS = {  # what to type next, by the number of an error of the system
    errno.ENOSPC: _ROOM,
    getattr(errno, "EDQUOT", errno.ENOSPC): _ROOM,
    errno.EACCES: _RIGHTS,
    errno.EPERM: _RIGHTS,
    errno.EROFS: ". it is on a read-only disk: name another folder or file.",
}
COMMANDS = {  # name -> (module, one line for --help), in the order in which a new user needs them
    "run": ("run", "Run a suite and write its leaderboard."),
    "list": ("listing", "List plugins, suites, datasets, models, metrics, rules, featurizers or shifts."),
    "show": ("listing", "Show one of them: parameters, profiles, citation."),
    "leaderboard": ("board", "Write leaderboards from records."),
    "compare": ("compare", "Say what can be concluded about two models, and what cannot."),
    "predict": ("predict", "Predict new images, or rows of tables, with a trained model."),
    "export-model": ("export", "Write a trained model as an ONNX file, for other programs."),
    "explain": ("explain", "Show where a trained network looks, level by level."),
    "figures": ("figures", "Draw training curves, confusion matrices, reliability and mistakes."),
    "rescore": ("board", "Compute the metrics of stored records again."),
    "calibrate": ("calibrate", "Add rows with calibrated probabilities of other rows."),
    "card": ("card", "Describe one model: quality, confusions, when to refer, costs, sources."),
    "learning": ("learning", "Show learning curves: how much data a model needs."),
    "ensemble": ("ensemble", "Add a row that averages stored predictions of other rows."),
    "export-task": ("export_task", "Write the data of a suite for another program or person."),
    "bring": ("bring", "Add predictions that were made elsewhere, as rows of a board."),
    "publish": ("board", "Copy records and leaderboards to a folder to be committed."),
    "verify": ("verify", "Recompute every published number from its stored predictions."),
    "score": ("score", "Score a table of predictions against a table of truth."),
    "reproduce": ("reproduce", "Run a published table again and compare with the paper's numbers."),
    "importance": ("importance", "Show which columns of a table a model relies on."),
    "suite": ("suite", "Write a suite for your own table or images."),
    "data": ("data", "Check data before a run, fetch them, compute features."),
    "plugin": ("plugin", "Write a new plugin, or check an installed one."),
    "doctor": ("doctor", "Check this installation, and run the smoke suite."),
}


class Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"hmcbench.cli.{COMMANDS[name][0]}")
        command: click.Command = getattr(module, f"{name.replace('-', '_')}_command")
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            guess = close_matches(name, COMMANDS)
            raise click.UsageError(f"no command {name!r}" + (f"; {guess}" if guess else ""), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


def _version(ctx: click.Context, _param: click.Parameter, requested: bool) -> None:
    if requested:
        import hmcbench

        click.echo(f"hmcbench {hmcbench.__version__}")
        ctx.exit()


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]}, no_args_is_help=False)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version."
)
def cli() -> None:
    """Benchmarks for hierarchical multi-label classification.

    \b
    hmcbench run --suite sem-failure       start with this
    hmcbench run --table F.csv --labels L  your own table
    hmcbench COMMAND --help                shows an example
    """


def main(args: Sequence[str] | None = None) -> None:
    """Console entry point: exit status 0, 1 (a cell failed), 2 (bad input), 130 (interrupted)."""
    _write_utf8()
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        status = cli.main(args=arguments or ["--help"], prog_name="hmcbench", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except HmcbenchError as error:
        fail(str(error), error.exit_status)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as help_:  # a group without its command
        click.echo(help_.format_message())
        sys.exit(0)
    except click.ClickException as error:
        fail(_usage(error), 2)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted; the same command continues from here", INTERRUPTED)
    except BrokenPipeError:  # `hmcbench list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except OSError as error:
        hint = HINTS.get(error.errno or 0, "")
        place = error.filename or ("" if hint else _line_of(error))
        where = f" ({place})" if place else ""
        fail(f"{error.strerror or error}{where}{hint}", 2)


def _write_utf8() -> None:
    """Set standard output and error to UTF-8: redirects on Windows have another encoding."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a caller of main() may have replaced it
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _line_of(error: OSError) -> str:
    """Where the error was raised: for bug reports about an error that names no file."""
    import traceback

    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{frame.filename}, line {frame.lineno}"


def _usage(error: click.ClickException) -> str:
    """click's message on one line, with the command whose help says more."""
    text = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "hmcbench"
    stop = "" if text.endswith("?") else "."
    return f"{text}{stop} {path} --help shows what is allowed."


def fail(message: str, status: int) -> None:
    """Print one line on standard error and exit."""
    click.echo(f"hmcbench: {message}", err=True)
    sys.exit(status)
