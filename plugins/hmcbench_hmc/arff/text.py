"""Lines of an ARFF file, plain or compressed, within bounds; and the values in a line.

``%`` outside quotes begins a comment, at the start of a line or after a blank. Values are separated by
commas, or by blanks where a line has no comma, and may stand in single or double quotes, in which a backslash
keeps the next character as it is.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hmcbench.errors import DataProblems, Problem

LARGEST = 1 << 30
"""Bytes of a file, unpacked: a larger one may be an archive made to fill the memory."""
LONGEST = 1 << 26
"""Bytes of a line; the class attribute of the Gene Ontology takes 130,000."""
LISTED = 100
"""Problems of one kind and file that are listed; further ones are counted."""

_VALUE = re.compile(
    r"""\s*(?:'(?P<single>(?:[^'\\]|\\.)*)'\s*(?=,|$)|"(?P<double>(?:[^"\\]|\\.)*)"\s*(?=,|$)"""
    r"""|(?P<plain>[^,]*))(?:,|$)""",  # takes the blanks too: to look for their end would take their square
    re.DOTALL,
)
_CODE = re.compile(r"""(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^%'"]|['"]|(?<=\S)%)*""", re.DOTALL)


@dataclass
class ArffFile:
    """One file and the problems of its lines.

    Attributes:
        label: how reports name it.
        problems: fatal ones and warnings.
    """

    path: Path
    label: str
    problems: list[Problem] = field(default_factory=list)
    counts: dict[tuple[str, bool], int] = field(default_factory=dict)  # problems by kind and fatal or not

    def add(self, line: int, what: str, kind: str, *, fatal: bool = True, skippable: bool = True) -> None:
        """Note a problem of a line; of many of one kind the first ``LISTED``."""
        self.counts[kind, fatal] = self.counts.get((kind, fatal), 0) + 1
        if self.counts[kind, fatal] <= LISTED:
            self.problems.append(Problem(f"{self.label}:{line}", what, kind, fatal, skippable and fatal))

    @property
    def more(self) -> dict[tuple[str, bool], int]:
        """Kind of a problem, and whether it is fatal -> how many are not listed."""
        return {key: count - LISTED for key, count in self.counts.items() if count > LISTED}

    @property
    def noted(self) -> list[Problem]:
        """The problems, and a line for every kind with more of them than are listed."""
        return [*self.problems, *self.unlisted()]

    @property
    def fatal_unlisted(self) -> int:
        """How many fatal problems are counted only."""
        return sum(count for (_kind, fatal), count in self.more.items() if fatal)

    def unlisted(self) -> list[Problem]:
        """A line for every kind with more problems than are listed."""
        return [
            Problem(self.label, f"{count} more problems like these ({kind})", kind, fatal=False)
            for (kind, _fatal), count in self.more.items()
        ]

    def stop(self, line: int, what: str, kind: str = "unreadable") -> DataProblems:
        """The error to raise where nothing after a line can be read."""
        place = f"{self.label}:{line}" if line else self.label
        return self.error([Problem(place, what, kind, skippable=False)])

    def error(self, problems: Sequence[Problem]) -> DataProblems:
        """The error of problems after which the file cannot be used, with all that was noted before."""
        return DataProblems(str(self.path), [*self.noted, *problems], unlisted=self.fatal_unlisted)

    def lines(self) -> Iterator[tuple[int, str]]:
        """(number, text) of every line; raises DataProblems where the file cannot be read on."""
        number = total = 0
        try:
            with self.path.open("rb") as file:
                packed = file.read(2) == b"\x1f\x8b"
            with gzip.open(self.path, "rb") if packed else self.path.open("rb") as stream:
                while raw := stream.readline(LONGEST + 1):
                    number += 1
                    total += len(raw)
                    if len(raw) > LONGEST:
                        raise self.stop(number, f"a line of more than {LONGEST >> 20} MiB", "too-large")
                    if total > LARGEST:
                        raise self.stop(
                            number, f"the file unpacks to more than {LARGEST >> 20} MiB", "too-large"
                        )
                    yield number, self._text(number, raw)
        except EOFError:
            what = "the compressed file ends in the middle"
            raise self.stop(number + 1, what, "truncated") from None
        except (zlib.error, gzip.BadGzipFile) as error:
            raise self.stop(number + 1, f"the compressed file is damaged ({error})", "damaged") from None
        except OSError as error:
            raise self.stop(0, f"cannot be read ({error.strerror})") from None

    def _text(self, number: int, raw: bytes) -> str:
        if raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in raw:
            raise self.stop(number, "is UTF-16 or no text; save it as UTF-8", "encoding")
        try:
            return raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        except UnicodeDecodeError as error:
            if raw.lstrip().startswith(b"%"):
                return "%"  # old files have comments in other encodings
            what = f"byte 0x{raw[error.start]:02x} is not UTF-8; save it as UTF-8"
            raise self.stop(number, what, "encoding") from None


def without_comment(text: str) -> str:
    """The text before the first ``%`` outside quotes that stands at the start or after a blank.

    >>> without_comment("1,'5 %',0.2%_MMS % the third")
    "1,'5 %',0.2%_MMS"
    """
    match = _CODE.match(text)
    return (match[0] if match else text).strip()


def values(text: str) -> list[str]:
    """The values of a line; raises ValueError for a quote that is not closed.

    >>> values("1, 'a, b',\\"it's\\",?"), values("1 2 3"), values("")
    (['1', 'a, b', "it's", '?'], ['1', '2', '3'], [''])
    """
    if "," not in text and not re.search("""['"]""", text):
        return text.split() or [""]
    texts: list[str] = []
    place = 0
    while True:
        match = _VALUE.match(text, place)
        quoted = match and (match["single"] if match["single"] is not None else match["double"])
        if match is None or (quoted is None and match["plain"][:1] in ("'", '"')):
            raise ValueError(f"a quote is not closed, or text follows it: {text[place : place + 40]!r}")
        texts.append(match["plain"].rstrip() if quoted is None else re.sub(r"\\(.)", r"\1", quoted))
        if match.end() == len(text) and not match[0].endswith(","):
            return texts
        place = match.end()
