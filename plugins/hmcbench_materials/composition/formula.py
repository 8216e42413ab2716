"""Reads formulas of alloys and compounds: ``Zr41.2Ti13.8Cu12.5Ni10Be22.5``, ``(Ce0.72Cu0.28)90Al10``.

An amount behind parentheses can mean two things. In chemistry it multiplies: ``Ca(OH)2``. In an alloy
whose amounts are per cent it is the share of the group: ``(CaCu)70Mg30`` is 35 Ca, 35 Cu, 30 Mg. So:

- Where the amounts beside each other do not add up to 100 (or to 1), they multiply.
- Where they do, they are shares of the atoms, unless one of the groups is a compound: then all of them are
  moles, and multiply too. ``(Li2S)75(P2S5)25`` is 37.5 % Li.
- A group is a compound if its own amounts add up to neither 1 nor 100, and it holds N, O, S, Se, Te or a
  halogen, or no element stands beside the groups: in ``La62Al14(Cu5Ag1)12(Ni1Co1)12`` both are shares.

A group without an amount always stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from hmcbench_materials.composition import notation
from hmcbench_materials.composition.periodic_table import COLUMN, SYMBOLS

_TOKEN = re.compile(
    r"(?P<symbol>[A-Z][a-z]?)|(?P<open>[([{])|(?P<close>[)\]}])|(?P<amount>[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
)
_CLOSING = {"(": ")", "[": "]", "{": "}"}
LONGEST = 1000
"""Characters of a formula or a list of phases: reading takes time by the square of their number."""
_DEPTH = 32  # parentheses within parentheses
_NEAR = 0.005  # how far, relatively, a sum of shares may be off: they are often rounded
_ANIONS = frozenset(("N", "O", "F", "S", "Cl", "Se", "Br", "Te", "I"))

Amounts = dict[str, float]


class Part(NamedTuple):
    """An element or a group, and the amount behind it, if there is one."""

    content: str | list[Part]
    amount: float | None


class Formula(NamedTuple):
    """A formula that was read.

    Attributes:
        amounts: element -> amount, not normalised.
        total: the sum of the amounts that stand beside each other outside of parentheses.
        notes: which reading was taken where another one is possible.
    """

    amounts: Amounts
    total: float
    notes: Sequence[str]


class FormulaError(ValueError):
    """A formula that cannot be read; the text says where. ``kind`` as in a data report."""

    def __init__(self, message: str, kind: str = "formula") -> None:
        self.kind = kind
        super().__init__(message)


def parse_formula(text: str) -> Amounts:
    """Element -> amount, as the formula gives them (not normalised); an element may stand twice.

    Raises:
        FormulaError: an unknown element (``kind`` is ``unknown-element``), another notation
            (``notation``), unbalanced parentheses, an amount without an element, no element with a
            positive amount.

    >>> parse_formula("(CaCu)70Mg30")
    {'Ca': 35.0, 'Cu': 35.0, 'Mg': 30.0}
    >>> parse_formula("Ca(OH)2")
    {'Ca': 1.0, 'O': 2.0, 'H': 2.0}
    """
    return read_formula(text).amounts


def read_formula(text: str) -> Formula:
    """As :func:`parse_formula`, with notes."""
    if len(text) > LONGEST:
        raise FormulaError(f"{text[:40]!r}... has {len(text):,} characters; at most {LONGEST:,} are read")
    plain = notation.plain(text)
    try:
        parts = _parts(_tokens(plain), "", _DEPTH)
    except FormulaError as error:
        raise FormulaError(f"{text.strip()!r}: {error}", error.kind) from None
    amounts = _amounts(parts)
    if not any(amounts.values()):
        raise FormulaError(f"{text!r} holds no element")
    if not math.isfinite(sum(amounts.values())):
        raise FormulaError(f"{text!r}: an amount is too large to be read")
    notes = [note for note in (_reading(parts, amounts), notation.run_together(plain)) if note]
    return Formula(amounts, _total(parts), notes)


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, token) in reverse order, to be popped; blanks between them are left out."""
    if refusal := notation.refusal(text):
        raise FormulaError(*refusal)
    tokens: list[tuple[str, str]] = []
    place = 0
    while remainder := text[place:].lstrip():
        place = len(text) - len(remainder)
        match = _TOKEN.match(text, place)
        if match is None:
            raise _unreadable(remainder)
        kind, token = str(match.lastgroup), match[0]
        if kind == "symbol" and token not in COLUMN:
            raise FormulaError(f"{token!r} is no element (H to Og)", "unknown-element")
        tokens.append((kind, token))
        place = match.end()
    return tokens[::-1]


def _unreadable(text: str) -> FormulaError:
    if text[0] == ",":
        return FormulaError(f"{text!r} cannot be read; amounts have a decimal point, as in Al0.5Co")
    return FormulaError(f"{text!r} cannot be read; a formula looks like Al0.5CoCr or (Fe75Cr25)83P17")


def _parts(tokens: list[tuple[str, str]], closing: str, deeper: int) -> list[Part]:
    """Pop elements and groups up to ``closing`` (the end where it is empty)."""
    if not deeper:
        raise FormulaError(f"more than {_DEPTH} parentheses within each other")
    parts: list[Part] = []
    while tokens:
        kind, token = tokens.pop()
        if kind == "close":
            if token != closing:
                raise FormulaError(f"{token!r} closes nothing")
            return parts
        if kind == "amount":
            raise FormulaError(f"the amount {token} stands behind no element")
        content = _parts(tokens, _CLOSING[token], deeper - 1) if kind == "open" else token
        amount = None
        if tokens and tokens[-1][0] == "amount":
            amount = float(tokens.pop()[1])
            if not math.isfinite(amount):
                raise FormulaError("an amount is too large to be read")
        parts.append(Part(content, amount))
    if closing:
        raise FormulaError(f"{closing!r} is missing")
    return parts


# --------------------------------------------------------------------------- shares, moles, multiples


def _total(parts: Iterable[Part]) -> float:
    return sum(1.0 if part.amount is None else part.amount for part in parts)


def _complete(parts: Iterable[Part]) -> bool:
    """Whether the amounts beside each other add up to 100 or to 1."""
    total = _total(parts)
    return any(math.isclose(total, whole, rel_tol=_NEAR) for whole in (1.0, 100.0))


def _amounts(parts: list[Part], *, other: bool = False) -> Amounts:
    """Add up what stands beside each other; ``other`` takes moles for shares, and shares for moles."""
    shares, moles = _complete(parts), _moles(parts) != other
    amounts: Amounts = {}
    for content, amount in parts:
        inside = {content: 1.0} if isinstance(content, str) else _amounts(content, other=other)
        factor = 1.0 if amount is None else amount
        if shares and amount is not None and not isinstance(content, str):
            size = sum(inside.values())
            if moles:
                size = _total(content) if _complete(content) else 1.0
            factor = amount / size if size > 0 else factor
        for symbol, value in inside.items():
            amounts[symbol] = amounts.get(symbol, 0.0) + factor * value
    return amounts


def _moles(parts: list[Part]) -> bool:
    """Whether one of the groups beside each other is a compound, or a mixture of compounds."""
    groups = [content for content, _amount in parts if not isinstance(content, str)]
    alone = len(groups) == len(parts)
    return any(_moles(group) if _complete(group) else _compound(group, alone) for group in groups)


def _compound(group: list[Part], alone: bool) -> bool:
    own = any(amount is not None for _content, amount in group)
    return own and (alone or not _ANIONS.isdisjoint(_elements(group)))


def _elements(parts: list[Part]) -> Iterator[str]:
    for content, _amount in parts:
        yield from [content] if isinstance(content, str) else _elements(content)


def _reading(parts: list[Part], amounts: Amounts) -> str:
    """Which reading of the groups was taken, where the other one gives another composition; else ""."""
    readings = _percent(amounts), _percent(_amounts(parts, other=True))
    if all(math.isclose(value, readings[1][symbol], rel_tol=_NEAR) for symbol, value in readings[0].items()):
        return ""
    names = ("moles", "shares") if _moles(parts) else ("shares", "moles")
    text = [" ".join(f"{symbol} {value:.3g}" for symbol, value in reading.items()) for reading in readings]
    return f"the amounts of groups are read as {names[0]}: {text[0]} %; as {names[1]} it would be {text[1]} %"


def _percent(amounts: Amounts) -> Amounts:
    total = sum(amounts.values())
    return {symbol: 100 * value / total for symbol, value in amounts.items()}


# --------------------------------------------------------------------------- many


def amounts_array(rows: Iterable[Amounts]) -> np.ndarray:
    """Float (N, 118): one row per composition, zero for elements that it lacks."""
    listed = list(rows)
    array = np.zeros((len(listed), len(SYMBOLS)))
    for row, amounts in enumerate(listed):
        for symbol, amount in amounts.items():
            array[row, COLUMN[symbol]] += amount
    return array


def system(amounts: Sequence[float] | np.ndarray) -> str:
    """The elements of a composition (118 amounts) in alphabetical order: ``Al-Cu-Zr``."""
    return "-".join(sorted(SYMBOLS[i] for i in np.flatnonzero(np.asarray(amounts) > 0)))
