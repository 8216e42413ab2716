"""Ways to write a composition that are no formula of atoms: each is refused by name.

Subscripts of Unicode, and ``at.%`` at the end, are brought to plain text.
"""

from __future__ import annotations

import re

import numpy as np

from hmcbench_materials.composition.periodic_table import COLUMN, SYMBOLS, atomic_percent

_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_ATOMIC = re.compile(r"[\s,]*[(\[]?\s*(?:at|mol)\.?\s*-?%\s*[)\]]?\s*$")
_DASH = re.compile(
    "\\s*[-\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}]\\s*"
)
_BEFORE = re.compile(r"([0-9.]*)\s?([A-Z][a-z]?)")  # 6Al: an element and the amount before it
_BEHIND = re.compile(r"[A-Z][a-z]?\s?[0-9.]*")  # Fe50
_RUN_TOGETHER = re.compile(r"([A-Z][a-z]?)((?:[0-9.]+[A-Z][a-z]?)+)")
_BASES = ("Ti", "Fe", "Al", "Mg", "Ni", "Co", "Cu", "Zr", "Nb", "Mo", "W", "Cr")

# No formula of atoms matches one of these; the first that matches names the notation.
_REFUSED = tuple(
    (re.compile(pattern), reason)
    for reason, pattern in (
        (
            "is an exponent; write the amount out, as in Al0.001",
            r"[0-9][eE][-+]?[0-9]|\^|[⁰¹²³⁴-⁹]|[x\N{MULTIPLICATION SIGN}]\s*10",
        ),
        ("marks a subscript; write Al0.5Co for Al_{0.5}Co", r"[_$\\]"),
        ("is no amount; write the balance as a number", r"[Bb]al(?:ance)?(?![a-z])|BAL|[Rr]est\b|[Rr]em\b"),
        ("is weight per cent, which is not read; write atoms", r"wt\.?\s*-?%?|[mM]ass\.?\s*-?%|[wm]/[wo]"),
        ("is read at the end of a formula only", r"(?:at|mol)\.?\s*-?%|a/o"),
        ("is not read; write amounts of atoms without it", r"%|ppm"),
        ("joins two compounds; write one formula", r"[·•∙⋅*]|\.[0-9]*H2O"),
        ("is no number: it has two points", r"[0-9]*\.[0-9]*\.[0-9.]*"),
        ("is no number: nothing follows its point", r"[0-9]+\.(?![0-9\s])|[0-9]+\.\s*$"),
        ("holds a blank inside a number", r"[0-9.]+\s+[0-9.]+|[0-9]\.\s"),
        ("holds a variable; write its value", rf"(?:{'|'.join(SYMBOLS)}|[)\]}}])[xδ]|[0-9]\s*-\s*[xyδ]"),
    )
)


def plain(text: str) -> str:
    """``Al₀.₅Co at.%`` -> ``Al0.5Co``; of several blanks in a row one is left."""
    return _ATOMIC.sub("", " ".join(text.translate(_SUBSCRIPTS).split())).strip()


def refusal(text: str) -> tuple[str, str] | None:
    """The name of another notation, and the kind of the problem; None where ``text`` may be a formula."""
    for pattern, reason in _REFUSED:
        if match := pattern.search(text):
            return f"{match[0].strip()!r} {reason}", "notation"
    return _hyphens(_DASH.sub("-", text)) if _DASH.search(text) else None


def _hyphens(text: str) -> tuple[str, str] | None:
    terms = text.split("-")
    before = [_BEFORE.fullmatch(term) for term in terms]
    if all(before):
        amounts = [(match[2], match[1]) for match in before if match]
        if any(symbol not in COLUMN for symbol, _ in amounts):
            return None
        if not any(amount for _, amount in amounts):
            return "elements joined by hyphens have no amounts; write them, as in Fe70Cr20Ni10", "notation"
        name = "amounts before elements, behind hyphens, are the notation of weight per cent"
        atoms = _as_atoms(amounts)
        return f"{name}; " + (f"as atoms that is {atoms}" if atoms else "write amounts of atoms"), "notation"
    if all(_BEHIND.fullmatch(term) for term in terms):
        return f"hyphens join the elements; write {''.join(terms)}", "notation"
    if negative := re.search(r"-[0-9.]+(?=[A-Z][a-z]?[0-9.]+$|$)", text):
        return f"the amount {negative[0]} is negative", "negative"
    return "hyphens are not read; write one formula of atoms, as in Ti86.2Al10.2V3.6", "notation"


def run_together(text: str) -> str:
    """The note about ``Ti6Al4V``, which reads as atoms and is mostly meant as Ti-6Al-4V; else "".

    The base of an alloy and further elements, all but the last with an amount: the sum of the amounts is
    large for so few atoms, and small for per cent.
    """
    match = _RUN_TOGETHER.fullmatch(text)
    if match is None or match[1] not in _BASES:
        return ""
    pairs = [(symbol, amount) for amount, symbol in re.findall(r"([0-9.]+)([A-Z][a-z]?)", match[2])]
    least = 5 if len(pairs) > 1 else 13  # Ni3Al and Cu5Zr are compounds
    if not least <= sum(float(amount) for _symbol, amount in pairs) <= 50:
        return ""
    hyphens = "-".join([match[1], *(amount + symbol for symbol, amount in pairs)])
    meant = _as_atoms([(match[1], ""), *pairs])
    return f"{text} is read as numbers of atoms; if {hyphens} in weight per cent is meant, write {meant}"


def _as_atoms(weights: list[tuple[str, str]]) -> str:
    """``Ti86.2Al10.2V3.6`` of weight per cent, the first element being the balance; "" if it is not."""
    (base, given), *further = weights
    try:
        amounts = {symbol: float(amount) for symbol, amount in further}
    except ValueError:
        return ""
    share = 100 - sum(amounts.values())
    if given or share <= 0 or base in amounts or not amounts.keys() <= COLUMN.keys():
        return ""
    row = np.zeros((1, len(SYMBOLS)))
    for symbol, amount in {base: share, **amounts}.items():
        row[0, COLUMN[symbol]] = amount
    atoms = atomic_percent(row)[0]
    return "".join(f"{symbol}{atoms[COLUMN[symbol]]:.3g}" for symbol in (base, *amounts))
