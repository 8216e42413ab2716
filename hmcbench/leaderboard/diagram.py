"""The critical-difference diagram as SVG: for a page, or as a file of its own."""

from __future__ import annotations

from html import escape

from hmcbench.leaderboard.across import Across

_WIDTH, _LEFT, _STEP = 720, 60, 20


def diagram(one: Across, alone: bool = False) -> str:
    """Mean ranks on a line, best left; a bar joins models that are not told apart.

    Args:
        one: with a critical difference; for two models there is nothing to draw and the text is empty.
        alone: as a file (white ground, own size), else for a page whose colours it takes.
    """
    if one.distance is None:
        return ""
    count = len(one.models)
    half = (count + 1) // 2
    line = 52
    top = line + 14 + 10 * len(one.groups)
    height = top + _STEP * half + 12

    def at(rank: float) -> float:
        return round(_LEFT + (rank - 1) / max(count - 1, 1) * (_WIDTH - 2 * _LEFT), 1)

    parts = [_path(f"M{at(1)} {line}H{at(count)}")]
    for tick in range(1, count + 1):
        parts += [_path(f"M{at(tick)} {line - 5}V{line}"), _text(at(tick), line - 9, str(tick), "middle")]
    end = at(1 + min(one.distance, count - 1))
    parts += [_path(f"M{at(1)} 18H{end}M{at(1)} 14v8M{end} 14v8", 2)]
    parts.append(_text(end + 6, 22, f"critical difference {one.distance:.2f}", "start"))
    for i, (model, rank) in enumerate(zip(one.models, one.ranks, strict=True)):
        left = i < half
        y = top + _STEP * (i if left else count - 1 - i) + 8
        x = 8 if left else _WIDTH - 8
        parts.append(_path(f"M{at(rank)} {line}V{y + 4}H{x}"))
        parts.append(_text(x, y, _cut(f"{model} {rank:.2f}"), "start" if left else "end"))
    for i, (first, last) in enumerate(one.groups):
        below = line + 9 + 10 * i
        parts.append(_path(f"M{at(one.ranks[first]) - 4} {below}H{at(one.ranks[last]) + 4}", 5))
    title = f"Critical differences over {len(one.datasets)} data sets"
    size = f'width="{_WIDTH}" height="{height}"'
    ground = f'<rect width="{_WIDTH}" height="{height}" fill="white"/>' if alone else ""
    name = ' xmlns="http://www.w3.org/2000/svg" color="black" font-family="sans-serif"' if alone else ""
    return (
        f'<svg{name} {size} viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{ground}{''.join(parts)}</svg>"
    )


def _path(d: str, width: float = 1) -> str:
    return f'<path d="{d}" fill="none" stroke="currentColor" stroke-width="{width}"/>'


def _text(x: float, y: float, value: str, anchor: str) -> str:
    look = f'font-size="12" text-anchor="{anchor}" fill="currentColor"'
    return f'<text x="{x}" y="{y}" {look}>{escape(value)}</text>'


def _cut(label: str) -> str:
    """Both columns of labels fit the width."""
    return label if len(label) <= 52 else f"{label[:44]}... {label.rpartition(' ')[2]}"
