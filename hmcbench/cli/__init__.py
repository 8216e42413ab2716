"""The command line. Thin: it parses, calls the core, and is the only place that prints.

Each command lives in a module of its own that is imported when the command is used, so that
``hmcbench list`` pays for no library that it does not need.
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
COMMANDS = {  # name -> (module, one line for --help); the order is that of a first afternoon
    "run": ("run", "Run a suite and write its leaderboard."),
    "list": ("listing", "List plugins, suites, datasets, models, metrics or featurizers."),
    "show": ("listing", "Show one of them: parameters, profiles, citation."),
    "leaderboard": ("board", "Write leaderboards from records."),
    "compare": ("compare", "Say what can be concluded about two models, and what cannot."),
    "predict": ("predict", "Predict the classes of new images with a trained model."),
    "explain": ("explain", "Show where a trained network looks, level by level."),
    "figures": ("figures", "Draw training curves, confusion matrices, reliability and mistakes."),
    "rescore": ("board", "Compute the metrics of old records anew."),
    "publish": ("board", "Copy records and leaderboards to a folder to be committed."),
    "verify": ("verify", "Recompute every published number from its stored predictions."),
    "score": ("score", "Score a table of predictions against a table of truth."),
    "reproduce": ("reproduce", "Run a published table again, beside the paper's numbers."),
    "importance": ("importance", "Show which columns a model of tables leans on."),
    "data": ("data", "Check data before a run, fetch them, make features of them."),
    "plugin": ("plugin", "Write a new plugin, check one that is installed."),
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
        command: click.Command = getattr(module, f"{name}_command")
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


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted:
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
    hmcbench run --suite sem-failure       the first thing to try
    hmcbench COMMAND --help                every command shows an example
    """


def main(args: Sequence[str] | None = None) -> None:
    """Console entry point: exit status 0, 1 (a cell failed), 2 (bad input), 130 (interrupted)."""
    _write_utf8()
    given = list(sys.argv[1:] if args is None else args)
    try:
        status = cli.main(args=given or ["--help"], prog_name="hmcbench", standalone_mode=False)
        sys.stdout.flush()
        sys.exit(status if isinstance(status, int) else 0)
    except HmcbenchError as error:
        fail(str(error), error.exit_status)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.exceptions.NoArgsIsHelpError as help_:  # a group of commands, and none of them named
        click.echo(help_.format_message())
        sys.exit(0)
    except click.ClickException as error:
        fail(_usage(error), 2)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted; the same command goes on from here", INTERRUPTED)
    except BrokenPipeError:  # `hmcbench list | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(0)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        place = error.filename or ("" if full else _line_of(error))
        where = f" ({place})" if place else ""
        hint = ". make room, then type the same command again." if full else ""
        fail(f"{error.strerror or error}{where}{hint}", 2)


def _write_utf8() -> None:
    """Standard output and error in UTF-8: a redirect on Windows has another encoding, without arrows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a program that calls main() may have put another there
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _line_of(error: OSError) -> str:
    """Where it was raised, for who has to report an error that names no file."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno}" if trace is not None else ""


def _usage(error: click.ClickException) -> str:
    """click's message on one line, with the command whose help says more."""
    text = " ".join(error.format_message().split()).rstrip(".")
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "hmcbench"
    stop = "" if text.endswith("?") else "."
    return f"{text}{stop} {path} --help shows what is allowed."


def fail(message: str, status: int) -> None:
    """One line on standard error, then the end."""
    click.echo(f"hmcbench: {message}", err=True)
    sys.exit(status)
