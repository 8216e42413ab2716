"""Published pages, HTML and Markdown, against pages written anew."""

from __future__ import annotations

import base64
import io
import json
import math
import re
from pathlib import Path

from hmcbench.verify.findings import Finding, flat

_DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
_MAIN = re.compile(r"<main>.*</main>", re.DOTALL)
_PNG = "data:image/png;base64,"
_MOST_SIDE = 4096  # pixels of a picture that is compared by its pixels
_DIGITS = 2e-5  # the page's data have six digits; the last may be rounded otherwise


def check_page(path: Path, recomputed: str, findings: list[Finding], notes: list[str]) -> None:
    """Compare an HTML page: its visible part and the data of its script.

    Another script or style is a note only: each version of hmcbench writes its own.
    """
    try:
        published = path.read_text(encoding="utf-8")
        data = json.loads(_DATA.findall(published)[0])
        main = _MAIN.findall(published)[0]
    except (OSError, ValueError, IndexError) as error:
        findings.append(Finding("unreadable", path.name, f"is no page of hmcbench ({error})"))
        return
    _lines(path.name, main, _MAIN.findall(recomputed)[0], findings)
    left, right = flat(data), flat(json.loads(_DATA.findall(recomputed)[0]))
    for name in dict.fromkeys((*left, *right)):
        a, b = left.get(name), right.get(name)
        if not _same(a, b):
            findings.append(Finding("differs", path.name, f"data of the page, {name}", a, b))
    frames = (_DATA.sub("", _MAIN.sub("", page)).strip() for page in (published, recomputed))
    if len(set(frames)) > 1:
        notes.append(f"{path.name}: script and style are not those of this version of hmcbench")


def _same(a: object, b: object) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return math.isclose(a, b, rel_tol=_DIGITS, abs_tol=1e-12)
    return a == b or _same_picture(a, b)


def _same_picture(a: object, b: object) -> bool:
    """Whether two PNG pictures have the same pixels; how they are packed depends on a library's version."""
    if not (isinstance(a, str) and isinstance(b, str) and a.startswith(_PNG) and b.startswith(_PNG)):
        return False
    from PIL import Image  # few pages have pictures

    try:
        left, right = (
            Image.open(io.BytesIO(base64.b64decode(text.removeprefix(_PNG))), formats=["PNG"])
            for text in (a, b)
        )
        if left.size != right.size or max(left.size) > _MOST_SIDE:
            return False
        return left.convert("RGBA").tobytes() == right.convert("RGBA").tobytes()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):  # no picture: it differs
        return False


def check_text(path: Path, recomputed: str, findings: list[Finding]) -> None:
    """Compare a Markdown page line by line; every line that differs is a finding."""
    try:
        published = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        findings.append(Finding("unreadable", path.name, str(error)))
        return
    _lines(path.name, published, recomputed, findings)


def _lines(name: str, published: str, recomputed: str, findings: list[Finding]) -> None:
    left, right = published.splitlines(), recomputed.splitlines()
    if len(left) != len(right):
        extra = next((line for line in left if line not in set(right)), None)
        lack = next((line for line in right if line not in set(left)), None)
        text = f"has {len(left)} lines instead of {len(right)}"
        findings.append(Finding("differs", name, text, extra, lack))
        return
    for number, (a, b) in enumerate(zip(left, right, strict=True), start=1):
        if a != b:
            findings.append(Finding("differs", f"{name}:{number}", "the line", *_parts(a, b)))


def _parts(left: str, right: str) -> tuple[str, str]:
    """The first cells that differ in two lines of a table; else the lines themselves."""
    for mark in ("|", "<td>"):
        cells = [[cell.strip() for cell in line.split(mark)] for line in (left, right)]
        if len(cells[0]) == len(cells[1]) > 1:
            difference = next(((a, b) for a, b in zip(*cells, strict=True) if a != b), None)
            return difference or (left, right)  # only the widths differ, because of another line
    return left, right
