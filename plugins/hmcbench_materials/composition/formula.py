"""Reads alloy formulas: ``Zr41.2Ti13.8Cu12.5Ni10Be22.5``, ``(Ce0.72Cu0.28)90Al10``.

An amount behind parentheses can mean two things. In chemistry it multiplies: ``Ca(OH)2``. In an alloy
whose amounts are per cent it is the share of the group: ``(CaCu)70Mg30`` is 35 Ca, 35 Cu, 30 Mg, and
``(Fe75Cr25)83P17`` holds 17 % P. The amounts themselves tell: where those that stand beside each other
add up to 100 (or to 1), they are shares; otherwise they multiply. Where a group adds up to 1 by itself,
both are the same; a group without an amount always stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np

from hmcbench_materials.composition.periodic_table import COLUMN, SYMBOLS

_TOKEN = re.compile(r"(?P<symbol>[A-Z][a-z]?)|(?P<open>[([{])|(?P<close>[)\]}])|(?P<amount>\d+\.?\d*|\.\d+)")
_CLOSING = {"(": ")", "[": "]", "{": "}"}
_DEPTH = 32  # parentheses within parentheses
_NEAR = 0.005  # how far, relatively, a sum of shares may be off: they are often rounded

Amounts = dict[str, float]
Parts = list[tuple[Amounts, float | None]]
"""What stands beside each other: an element or a group, and the amount behind it, if there is one."""


class FormulaError(ValueError):
    """A formula that cannot be read; the text says where. ``kind`` as in a data report."""

    def __init__(self, what: str, kind: str = "formula") -> None:
        self.kind = kind
        super().__init__(what)


def parse_formula(text: str) -> Amounts:
    """Element -> amount, as the formula gives them (not normalised); an element may stand twice.

    Raises:
        FormulaError: an unknown element (``kind`` is ``unknown-element``), unbalanced parentheses, an
            amount without an element, no element with a positive amount.

    >>> parse_formula("(CaCu)70Mg30")
    {'Ca': 35.0, 'Cu': 35.0, 'Mg': 30.0}
    >>> parse_formula("Ca(OH)2")
    {'Ca': 1.0, 'O': 2.0, 'H': 2.0}
    """
    try:
        amounts = _join(_parts(_tokens(text), "", _DEPTH))
    except FormulaError as error:
        raise FormulaError(f"{text.strip()!r}: {error}", error.kind) from None
    if not amounts or not any(amounts.values()):
        raise FormulaError(f"{text!r} holds no element")
    return amounts


def _tokens(text: str) -> list[tuple[str, str]]:
    """(kind, token) in reverse order, to be popped; blanks are left out."""
    compact = "".join(text.split())
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(compact):
        match = _TOKEN.match(compact, place)
        if match is None:
            raise _unreadable(compact[place:])
        kind, token = str(match.lastgroup), match[0]
        if kind == "symbol" and token not in COLUMN:
            raise FormulaError(f"{token!r} is no element (H to Og)", "unknown-element")
        found.append((kind, token))
        place = match.end()
    return found[::-1]


def _unreadable(rest: str) -> FormulaError:
    """What is wrong with a formula from here on."""
    if negative := re.match(r"[-\N{MINUS SIGN}]\d*\.?\d+", rest):
        return FormulaError(f"the amount {negative[0]} is negative", "negative")
    if rest[0] == ",":
        return FormulaError(f"{rest!r} cannot be read; amounts have a decimal point, as in Al0.5Co")
    return FormulaError(f"{rest!r} cannot be read; a formula looks like Al0.5CoCr or (Fe75Cr25)83P17")


def _parts(tokens: list[tuple[str, str]], closing: str, deeper: int) -> Parts:
    """Pop elements and groups up to ``closing`` (the end where it is empty)."""
    if not deeper:
        raise FormulaError(f"more than {_DEPTH} parentheses within each other")
    parts: Parts = []
    while tokens:
        kind, token = tokens.pop()
        if kind == "close":
            if token != closing:
                raise FormulaError(f"{token!r} closes nothing")
            return parts
        if kind == "amount":
            raise FormulaError(f"the amount {token} stands behind no element")
        inside = _join(_parts(tokens, _CLOSING[token], deeper - 1)) if kind == "open" else {token: 1.0}
        amount = None
        if tokens and tokens[-1][0] == "amount":
            amount = float(tokens.pop()[1])
            if not math.isfinite(amount):
                raise FormulaError("an amount is too large to be read")
        parts.append((inside, amount))
    if closing:
        raise FormulaError(f"{closing!r} is missing")
    return parts


def _join(parts: Parts) -> Amounts:
    """Add up what stands beside each other, as shares or as multiples."""
    total = sum(1.0 if amount is None else amount for _inside, amount in parts)
    shares = any(math.isclose(total, whole, rel_tol=_NEAR) for whole in (1.0, 100.0))
    joined: Amounts = {}
    for inside, amount in parts:
        within = sum(inside.values())
        factor = 1.0 if amount is None else amount
        if shares and amount is not None and within > 0:
            factor = amount / within
        for symbol, value in inside.items():
            joined[symbol] = joined.get(symbol, 0.0) + factor * value
    return joined


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
