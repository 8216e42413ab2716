"""The critical-difference diagram as SVG, for a page or for a file."""

from __future__ import annotations

from html import escape

from hmcbench.leaderboard.across import Across

_SCALE, _STEP, _LETTER = 420, 20, 6.8  # pixels: length of the axis, distance of labels, width of a letter
_LONGEST = 44  # letters of a label


def diagram(comparison: Across, alone: bool = False) -> str:
    """Mean ranks on an axis, best left; a bar joins models that do not differ significantly.

    Args:
        comparison: without a critical difference (two models) the text is empty.
        alone: for a file, with white background; else for a page, in its colours.
    """
    if comparison.distance is None:
        return ""
    count = len(comparison.models)
    half = (count + 1) // 2
    labels = [
        _cut(model, f"{rank:.2f}") for model, rank in zip(comparison.models, comparison.ranks, strict=True)
    ]
    margin = round(24 + _LETTER * max(map(len, labels)))
    width = 2 * margin + _SCALE
    line = 58
    top = line + 14 + 10 * len(comparison.groups)
    height = top + _STEP * half + 12

    def at(rank: float) -> float:
        return round(margin + (rank - 1) / max(count - 1, 1) * _SCALE, 1)

    parts = [_path(f"M{at(1)} {line}H{at(count)}")]
    for tick in range(1, count + 1):
        parts += [_path(f"M{at(tick)} {line - 5}V{line}"), _text(at(tick), line - 9, str(tick), "middle")]
    end = at(1 + min(comparison.distance, count - 1))
    parts += [_path(f"M{at(1)} 26H{end}M{at(1)} 22v8M{end} 22v8", 2)]
    beyond = " (more than the scale)" if comparison.distance > count - 1 else ""
    parts.append(_text(at(1), 14, f"critical difference {comparison.distance:.2f}{beyond}", "start"))
    for i, (label, rank) in enumerate(zip(labels, comparison.ranks, strict=True)):
        left = i < half
        y = top + _STEP * (i if left else count - 1 - i) + 8
        x = margin - 14 if left else width - margin + 14
        parts.append(_path(f"M{at(rank)} {line}V{y - 4}H{x}"))
        parts.append(_text(x - 4 if left else x + 4, y, label, "end" if left else "start"))
    for i, (first, last) in enumerate(comparison.groups):
        below = line + 9 + 10 * i
        parts.append(_path(f"M{at(comparison.ranks[first]) - 4} {below}H{at(comparison.ranks[last]) + 4}", 5))
    title = f"Critical differences over {len(comparison.datasets)} datasets"
    size = f'width="{width}" height="{height}"'
    ground = f'<rect width="{width}" height="{height}" fill="white"/>' if alone else ""
    name = ' xmlns="http://www.w3.org/2000/svg" color="black" font-family="sans-serif"' if alone else ""
    return (
        f'<svg{name} {size} viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{ground}{''.join(parts)}</svg>"
    )


def _path(d: str, width: float = 1) -> str:
    return f'<path d="{d}" fill="none" stroke="currentColor" stroke-width="{width}"/>'


def _text(x: float, y: float, value: str, anchor: str) -> str:
    look = f'font-size="12" text-anchor="{anchor}" fill="currentColor"'
    return f'<text x="{x}" y="{y}" {look}>{escape(value)}</text>'


def _cut(model: str, rank: str) -> str:
    """Label and mean rank; a long label loses its end."""
    return f"{model if len(model) <= _LONGEST else model[: _LONGEST - 3] + '...'}  {rank}"
