"""The comparison of two models as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tabulate import tabulate

from hmcbench.leaderboard.compare import Compared, Comparison
from hmcbench.leaderboard.render.text import difference_parts, number


def compared_text(results: Sequence[Compared], suites: Mapping[str, Sequence[str]]) -> str:
    """All boards with both models, and the reasons why others do not count.

    Args:
        results: one per suite that has records of both.
        suites: model, as typed -> suites that have it.
    """
    parts = [" against ".join(suites)]
    if not results:
        places = "; ".join(f"{name} is in {', '.join(names)}" for name, names in suites.items())
        parts.append(f"Not comparable: no suite has records of both ({places}).")
    for compared in results:
        parts += ["\n".join(_board(board)) for board in compared.boards]
        if compared.learning:
            parts.append("\n".join(["Along the learning curves:", *(f"  - {s}" for s in compared.learning)]))
        parts += [f"Not comparable: {reason}." for reason in compared.reasons]
    return "\n\n".join(parts)


def _board(board: Comparison) -> Iterator[str]:
    lines = [
        [
            m.metric,
            number(m.a, m.style),
            "against",
            number(m.b, m.style),
            *difference_parts(m.difference, m.style),
        ]
        for m in board.metrics
    ]
    table = tabulate(lines, tablefmt="plain", disable_numparse=True)
    yield f"{board.title}\n  {board.size}\n"
    yield from (f"  {line}" for line in table.splitlines())
    yield "\nWhat can be concluded:"
    yield from (f"  - {measured.metric}: {measured.verdict}" for measured in board.metrics)
    yield from (f"  - {line}" for line in board.more)
    yield f"  It rests on: {board.method}.\n\nWhat cannot:"
    yield from (f"  - {line}" for line in board.caveats)
