"""Every error a user can see: what was wrong, what is allowed, what to type next.

The command line prints ``str(error)`` on one line and ends with ``exit_status``; a traceback is
always a defect of hmcbench. This module imports nothing of hmcbench, so any module may raise these.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


def one_line(text: str, most: int | None = None) -> str:
    """The text without line breaks, its first characters; ``?`` for what could move a terminal's cursor.

    Bytes of a file name that are no text (surrogates) stay: they are escaped where they are printed.

    >>> one_line("two\\nlines \\x1b[2J")
    'two lines ?[2J'
    """
    words = " ".join(text.split())
    kept = (c if c.isprintable() or "\ud800" <= c <= "\udfff" else "?" for c in words)
    shown = words if words.isprintable() else "".join(kept)
    return shown[:most]


class HmcbenchError(Exception):
    """A problem that a user can mend, described in one line.

    Args:
        what: what was wrong, with the value.
        allowed: what is allowed, as a noun or a list (``"a CSV file"``); may be empty.
        hint: what to type next; may be empty.
    """

    exit_status = 2

    def __init__(self, what: str, *, allowed: str = "", hint: str = "") -> None:
        self.what, self.allowed, self.hint = what, allowed, hint
        parts = (what, allowed and f"Allowed: {allowed}", hint)
        sentences = [one_line(part).rstrip(".") for part in parts if part]
        super().__init__(" ".join(s if s.endswith("?") else f"{s}." for s in sentences))


class BadInput(HmcbenchError):
    """A flag, file, table or name that cannot be used."""


class PluginError(HmcbenchError):
    """A plugin that breaks the contract; names the plugin."""


class Unavailable(HmcbenchError):
    """Something that is not installed; names the command that installs it."""


class NotApplicable(HmcbenchError):
    """A model that cannot run on a dataset; the plan lists the pair with this reason."""


@dataclass(frozen=True)
class Problem:
    """One line of a data report.

    Attributes:
        where: file (relative to the data folder) or ``file:line``.
        what: the reason, in a few words.
        kind: short machine-readable kind, for example ``unreadable`` or ``unknown-class``.
        fatal: whether a run refuses to start because of it.
        skippable: whether ``--skip-bad`` can leave the file out.
    """

    where: str
    what: str
    kind: str
    fatal: bool = True
    skippable: bool = True

    @property
    def order(self) -> tuple[bool, str, int]:
        """Sorts by file and line (line 7 before line 10); the folder as a whole comes last."""
        file, _, line = self.where.rpartition(":")
        place = (file, int(line)) if file and line.isdecimal() else (self.where, 0)
        return (self.where == ".", *place)


class DataProblems(BadInput):
    """Several problems of one dataset, reported together.

    Args:
        source: the file or folder.
        problems: at least one; kept in the order of files and lines. Warnings may be among them: the message
            names the first fatal one, and counts those.
        dataset: the reference under which ``data lint`` reads it; may be empty.
        unlisted: how many further problems there are, which ``data lint`` counts and does not list.
    """

    def __init__(
        self, source: str, problems: Sequence[Problem], dataset: str = "", unlisted: int = 0
    ) -> None:
        self.source, self.problems = source, sorted(problems, key=lambda p: p.order)
        self.unlisted = unlisted
        fatal = [p for p in self.problems if p.fatal] or self.problems
        first, count = fatal[0], len(fatal) + unlisted
        more = f" (and {count - 1} more)" if count > 1 else ""
        skippable = all(p.skippable for p in fatal)
        super().__init__(
            f"{_within(source, first.where)}: {first.what}{more}",
            hint=f"hmcbench data lint {shlex.quote(source)}"
            + (f" --dataset {shlex.quote(dataset)}" if dataset else "")
            + (" lists the first of them" if unlisted else " lists them all")
            + ("; --skip-bad leaves those out" if skippable else ""),
        )


def _within(source: str, where: str) -> str:
    """``a/b.csv`` and ``b.csv:6`` -> ``a/b.csv:6``; other places are put after the source."""
    name = source.replace("\\", "/").rsplit("/", 1)[-1]
    return source + where[len(name) :] if f"{where}:".startswith(f"{name}:") else f"{source}: {where}"


def close_matches(value: str, known: Iterable[str]) -> str:
    """``"did you mean 'hffnet-2d'?"`` or the empty string; upper and lower case are the same."""
    import difflib  # takes a millisecond, needed for errors only

    spellings = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(value.casefold(), list(spellings), n=3, cutoff=0.6)
    matches = [spellings[name] for name in close]
    return "did you mean " + " or ".join(map(repr, matches)) + "?" if matches else ""


def unknown(
    kind: str, value: str, known: Iterable[str], hint: str = "", nearest_first: bool = False
) -> BadInput:
    """The error for an unknown name: the name, close matches, and the names that exist.

    Args:
        nearest_first: sort the names by their likeness to the value; for lists too long to be shown whole.
    """
    names = sorted(known)
    if nearest_first:
        from difflib import SequenceMatcher  # as in close_matches

        likeness = {name: SequenceMatcher(None, value, name).ratio() for name in names}
        names.sort(key=lambda name: -likeness[name])
    guess = close_matches(value, names)
    what = f"unknown {kind} {value!r}" + ("" if names else f": there is no {kind}")
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return BadInput(what + (f"; {guess}" if guess else ""), allowed=listed, hint=hint)
