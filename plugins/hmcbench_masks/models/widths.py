"""The widths of the filters of ``pixel-forest``: read, and checked while a run is planned."""

from __future__ import annotations

from hmcbench.errors import BadInput

WIDEST = 1000.0  # pixels; a filter has eight times as many numbers, and no image is much larger


def widths_of(text: str) -> tuple[float, ...]:
    """Pixels.

    >>> widths_of("1;2.5")
    (1.0, 2.5)

    Raises:
        BadInput: a text that is no list of such numbers.
    """
    try:
        widths = tuple(float(part) for part in text.split(";"))
    except ValueError:
        widths = ()
    if not widths or not all(0 < width <= WIDEST for width in widths):
        raise BadInput(f"widths={text}", allowed=f"numbers above 0 up to {WIDEST:g}, joined by ; as in 1;2;4")
    return widths


def check(*, widths: str, **_others: object) -> None:
    """The ``check`` of the spec: see :func:`widths_of`."""
    widths_of(widths)
