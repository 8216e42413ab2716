"""Names that a reader takes for one name: dashes, spaces, case, letters of other alphabets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

# Greek and Cyrillic letters with the shape of a Latin one. Of Greek small letters only those without a
# meaning of their own in materials science.
_SHAPES = str.maketrans(
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7\u03bf\u03bd"
    "\u0410\u0412\u0415\u0405\u0406\u0408\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425"
    "\u0430\u0432\u0435\u0455\u0456\u0458\u043a\u043c\u043d\u043e\u0440\u0441\u0442\u0443\u0445",
    "ABEZHIKMNOPTYXovABESIJKMHOPCTYXabesijkmhopctyx",
)
_SEPARATORS = re.compile(r"[\s_\-\u2010-\u2015\u2043\u2212\ufe58]+")


def shape(name: str) -> str:
    """What a name looks like: equal for names that differ in case, kind of dash or space, or alphabet.

    >>> shape("Grain\\u2013Boundary") == shape("gr\\u0430in_boundary")
    True
    """
    text = name
    if not name.isascii():
        text = unicodedata.normalize("NFKC", name).translate(_SHAPES)
        text = "".join(c for c in text if unicodedata.category(c) != "Cf")  # of no width
    return _SEPARATORS.sub("-", text.casefold())


def lookalikes(names: Iterable[str], *, joined: bool = False) -> Iterator[tuple[str, str, str]]:
    """(first name, a later one of the same shape, how they differ), in the order of ``names``.

    Args:
        joined: names that differ by a dash, space or underscore between letters are alike as well.
    """
    first: dict[str, str] = {}
    for name in names:
        key = re.sub(r"\b-\b", "", shape(name)) if joined else shape(name)
        twin = first.setdefault(key, name)
        if twin != name:
            yield twin, name, _difference(twin, name)


def _difference(name: str, other: str) -> str:
    if "".join(name.lower().split()) == "".join(other.lower().split()):
        return "differ only in case or spaces"
    own = [c for a, b in ((name, other), (other, name)) for c in dict.fromkeys(a) if c not in b]
    names = [unicodedata.name(c, f"U+{ord(c):04X}") for c in own]
    return "look alike" + (f" ({', '.join(names)})" if names else "")
