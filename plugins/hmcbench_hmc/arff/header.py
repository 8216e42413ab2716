"""The header of an ARFF file: its attributes, and which of them is the class."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hmcbench.errors import close_matches
from hmcbench_hmc.arff.text import ArffFile, values, without_comment

AttributeKind = Literal["numeric", "nominal", "class", "key", "skipped"]
NUMERIC = ("numeric", "real", "integer")
SKIPPED = ("string", "date")
_KEYWORDS = ("@relation", "@attribute", "@data")
_ATTRIBUTE = re.compile(
    r"""@attribute\s+('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[^\s{'"]+)\s*(.*)""", re.I | re.S
)


@dataclass(frozen=True)
class Attribute:
    """One column of a file.

    Attributes:
        name: unique; a repeated name gets ``#2``, ``#3``, ...
        values: of a nominal attribute; the entries of the class attribute.
        line: where it is declared.
    """

    name: str
    kind: AttributeKind
    line: int
    values: tuple[str, ...] = ()


def read_header(file: ArffFile, lines: Iterator[tuple[int, str]]) -> list[Attribute]:
    """The attributes, in order; the next of ``lines`` is the first after ``@data``.

    Raises:
        DataProblems: no ``@data``, no attributes, or one that cannot be read.
    """
    attributes: list[Attribute] = []
    number = 0
    for number, line in lines:
        text = without_comment(line) if "%" in line else line
        word = text.split(None, 1)[0].lower() if text else ""
        if word == "@data":
            return _checked(file, number, attributes)
        if word == "@attribute":
            attributes.append(_attribute(file, number, text, attributes))
        elif text and word != "@relation":
            guess = close_matches(word, _KEYWORDS)
            allowed = guess or f"allowed: {', '.join(_KEYWORDS)}"
            raise file.stop(number, f"{text[:40]!r} before @data; {allowed}", "header")
    what = "the file ends before @data" if attributes else "this is no ARFF file: it has no @attribute"
    raise file.stop(max(number, 1), what, "truncated" if attributes else "header")


def _checked(file: ArffFile, number: int, attributes: list[Attribute]) -> list[Attribute]:
    if not attributes:
        raise file.stop(number, "@data without any @attribute before it", "header")
    classes = [a for a in attributes if a.kind == "class"]
    if len(classes) > 1:
        raise file.stop(classes[1].line, "a second hierarchical attribute; one is the class", "header")
    return attributes


def _attribute(file: ArffFile, number: int, text: str, before: list[Attribute]) -> Attribute:
    match = _ATTRIBUTE.fullmatch(text)
    if match is None:
        raise file.stop(number, f"cannot read {text[:40]!r}; allowed: @attribute NAME TYPE", "header")
    name, kind = match[1], match[2].strip()
    if name[0] in "'\"":
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    names = [a.name for a in before]
    if name in names:
        copy = next(f"{name}#{k}" for k in range(2, len(names) + 3) if f"{name}#{k}" not in names)
        file.add(number, f"attribute {name!r} is declared twice; read as {copy!r}", "repeated", fatal=False)
        name = copy
    return _typed(file, number, name, kind)


def _typed(file: ArffFile, number: int, name: str, text: str) -> Attribute:
    word = re.split(r"[\s\[]", text, maxsplit=1)[0].lower()
    if word in NUMERIC:
        return Attribute(name, "numeric", number)
    if word == "key":
        return Attribute(name, "key", number)
    if word in SKIPPED:
        file.add(number, f"attribute {name!r} is of type {word}, which is left out", "skipped", fatal=False)
        return Attribute(name, "skipped", number)
    if text.startswith("{"):
        if not text.endswith("}"):
            raise file.stop(number, f"the values of attribute {name!r} have no closing brace", "header")
        return Attribute(name, "nominal", number, _unique(file, number, name, text[1:-1], "value"))
    if word == "hierarchical":
        entries = _unique(file, number, name, text[len(word) :], "class")
        if not entries:
            raise file.stop(number, "the hierarchical attribute lists no classes", "header")
        return Attribute(name, "class", number, entries)
    allowed = f"{', '.join(NUMERIC)}, {{a,b}}, {', '.join(SKIPPED)}, key, hierarchical"
    shown = f"attribute {name!r} has no type" if not text else f"attribute {name!r} is of type {text[:30]!r}"
    raise file.stop(number, f"{shown}; allowed: {allowed}", "header")


def _unique(file: ArffFile, number: int, name: str, text: str, word: str) -> tuple[str, ...]:
    """The listed values, each once."""
    try:
        listed = values(text.strip())
    except ValueError as error:
        raise file.stop(number, f"attribute {name!r}: {error}", "header") from None
    if listed == [""]:
        if word == "value":
            raise file.stop(number, f"attribute {name!r} lists no values", "header")
        return ()
    if "" in listed:
        raise file.stop(number, f"attribute {name!r} lists an empty {word}", "header")
    unique = tuple(dict.fromkeys(listed))
    if len(unique) < len(listed):
        again = next(v for i, v in enumerate(listed) if v in listed[:i])
        file.add(number, f"attribute {name!r} lists {again!r} twice", "repeated", fatal=False)
    return unique
