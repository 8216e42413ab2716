"""What several commands share."""

from __future__ import annotations

from hmcbench.cli.common import references


def test_only_commas_outside_all_brackets_divide_a_list() -> None:
    """A comma before brackets within brackets did."""
    text = "knn[neighbours=5,inputs=embedding[size=64]], prior"
    assert references(text) == ["knn[neighbours=5,inputs=embedding[size=64]]", "prior"]
    assert references("a,b[k=1,m=2],,") == ["a", "b[k=1,m=2]"]
