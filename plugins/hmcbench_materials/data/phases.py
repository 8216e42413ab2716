"""Reads the phases of an alloy as tables write them: ``FCC1+FCC2``, ``BCC+Laves (C14)``, ``2BCC+sigma``.

A spelling is read or refused: ``other`` is the class of known phases that have none of their own.
"""

from __future__ import annotations

import re
import unicodedata

from hmcbench_materials.composition.formula import LONGEST, FormulaError, parse_formula

ClassPath = tuple[str, ...]

_SIGMA, _MU, _CHI = "\N{GREEK SMALL LETTER SIGMA}", "\N{GREEK SMALL LETTER MU}", "\N{GREEK SMALL LETTER CHI}"
_CLASSES: dict[str, ClassPath] = {
    **{name: ("solid-solution", name) for name in ("FCC", "BCC", "HCP")},
    "AM": ("amorphous",),
    "IM": ("intermetallic",),
    **{name: ("intermetallic", "ordered", name) for name in ("B2", "L12", "L10", "L21")},
    **dict.fromkeys(("D02", "D022", "D2b", "D85"), ("intermetallic", "ordered")),
    "Laves": ("intermetallic", "Laves"),
    **{name: ("intermetallic", "Laves", name) for name in ("C14", "C15")},
    _SIGMA: ("intermetallic", "sigma"),
    _MU: ("intermetallic", "mu"),
}
"""Phase -> its path. Ordered structures seen once or twice share one class."""
_COMPOUND, _OTHER = ("intermetallic", "compound"), ("other",)
PATHS = (*_CLASSES.values(), _COMPOUND, _OTHER)

_SYNONYMS: dict[str, tuple[str, ...]] = {
    "FCC": ("A1", "face-centered cubic", "face-centred cubic"),
    "BCC": ("A2", "body-centered cubic", "body-centred cubic"),
    "HCP": ("A3", "hexagonal close-packed"),
    "AM": ("amorphous", "glass", "metallic glass", "BMG"),
    "IM": ("IMC", "intermetallic", "intermetallics", "intermetallic compound", _CHI, "chi", "A15"),
    "D02": ("D03", "D019", "D024"),  # ordered, and without a class of their own
    "L21": ("Heusler",),
    "Laves": ("C36",),
    _SIGMA: ("sigma", "\N{GREEK SMALL LETTER FINAL SIGMA}"),
    _MU: ("mu",),
}
_SOLUTIONS = ("SS", "solid solution")
_OTHERS = (  # as the published table has been read, and carbides under their other names
    *("\N{GREEK SMALL LETTER EPSILON}", "\N{GREEK SMALL LETTER ALPHA}", "\N{GREEK SMALL LETTER DELTA}"),
    *("A5", "W", "Orthorhombic", "Graphite", "YNi", "YX2", "Y2X17"),
    *("carbide", "carbides", "MC", "MC-Carbide", "M6C", "M7C3", "M23C6", "other"),
)
_KNOWN: dict[str, ClassPath] = {
    **{word.casefold(): path for word, path in _CLASSES.items()},
    **{word.casefold(): _CLASSES[name] for name, words in _SYNONYMS.items() for word in words},
    **dict.fromkeys(map(str.casefold, _SOLUTIONS), ("solid-solution",)),
    **dict.fromkeys(map(str.casefold, _OTHERS), _OTHER),
}
_ANIONS = frozenset(("C", "N", "O", "F", "S", "Cl"))
_NONMETALS = _ANIONS | frozenset(("H", "B", "P", "I"))

_SEPARATOR = re.compile(r"[+;,&|/]|\band\b")
_BRACKETED = re.compile(r"\(([^()]*)\)")
_RICH = re.compile(r"\b[A-Z][a-z]?(?:[-,\s]+[A-Z][a-z]?)*[-\s]rich\b")
_NUMBERED = re.compile(
    r"(FCC|BCC|HCP|IM|AM|(?:Laves|B2|L12)(?=[\s_#-]))[\s_#-]*[1-9]", re.IGNORECASE
)  # FCC1, B2#2
_LAVES = re.compile(r"(?:Laves[\s_-]*(C14|C15|C36)?|(C14|C15|C36)[\s_-]*Laves)", re.IGNORECASE)


def phase_set(cell: str) -> tuple[str, ...]:
    """``"2BCC+FCC+B2"`` -> class ids, sorted; how often a phase occurs is not kept.

    Raises:
        ValueError: no phase, or one that is not known.
    """
    if len(cell) > LONGEST:
        raise ValueError(f"{cell[:40]!r}... has {len(cell):,} characters; at most {LONGEST:,} are read")
    names = [name.strip() for name in _split(unicodedata.normalize("NFKC", cell))]
    if not all(names):
        raise ValueError("no phase is given" if not cell else f"{cell!r} has an empty phase")
    return tuple(sorted({"/".join(_path(name)) for name in names}))


def _split(cell: str) -> list[str]:
    """The phases of a cell; separators within parentheses belong to a phase."""
    hidden = _BRACKETED.sub(lambda match: "\0" * len(match[0]), cell)
    ends = [(match.start(), match.end()) for match in _SEPARATOR.finditer(hidden)]
    starts = [0, *(end for _start, end in ends)]
    return [cell[a:b] for a, b in zip(starts, [*(start for start, _end in ends), len(cell)], strict=True)]


def _path(name: str) -> ClassPath:
    """The path of one phase."""
    plain = re.sub(r"^[0-9]+\s*(?=\D)", "", name)  # 2FCC: two of them
    plain = re.sub(r"[\s-]+phases?$|^disordered\s+", "", plain, flags=re.IGNORECASE)
    word = _word(plain)
    if word in _KNOWN:
        return _KNOWN[word]
    elements = _elements(plain)
    if re.match(r"IM\s*\(", plain, re.IGNORECASE) or elements:
        return _COMPOUND if elements.isdisjoint(_ANIONS) else _OTHER
    known = ", ".join([*_CLASSES, "SS", "carbide", "other"])
    raise ValueError(f"the phase {name!r} is not known; known are {known}, and formulas of compounds")


def _word(plain: str) -> str:
    """The spelling under which a phase is known: ``FCC (Cu-rich)`` -> ``fcc``, ``Laves (C14)`` -> ``c14``."""
    word = " ".join(_BRACKETED.sub(r" \1 ", _RICH.sub("", plain)).split())
    if match := _LAVES.fullmatch(word):
        return (match[1] or match[2] or "Laves").casefold()
    if match := _NUMBERED.fullmatch(word):
        return match[1].casefold()
    return re.sub(r"(?<=[A-Z0-9])_(?=[0-9])", "", word, flags=re.IGNORECASE).casefold()


def _elements(name: str) -> frozenset[str]:
    """The elements of a compound with a metal, such as NiTi2; none of other names.

    Where that is no formula, x, X and y are taken for amounts: MnxPdy.
    """
    for text in (name, re.sub("[xyX]", "", name)):
        try:
            elements = frozenset(parse_formula(text))
        except FormulaError:
            continue
        return elements if len(elements) > 1 and not elements <= _NONMETALS else frozenset()
    return frozenset()
