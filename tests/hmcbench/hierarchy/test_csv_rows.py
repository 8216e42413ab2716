from __future__ import annotations

import pytest

from hmcbench.errors import BadInput
from hmcbench.hierarchy.csv_rows import csv_rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b;c\n1,2\n", [(1, ["a", "b;c"]), (2, ["1", "2"])]),
        ("a;b\n1,5;2\n", [(1, ["a", "b"]), (2, ["1,5", "2"])]),
        ("a\tb\n1,5;x\t2\n", [(1, ["a", "b"]), (2, ["1,5;x", "2"])]),
        ('"a;b",c\n1,2\n', [(1, ["a;b", "c"]), (2, ["1", "2"])]),
        ("a, b;c;d\n1;2;3\n", [(1, ["a, b", "c", "d"]), (2, ["1", "2", "3"])]),
        ("a, b, c\td\n1\t2\n", [(1, ["a, b, c", "d"]), (2, ["1", "2"])]),
        ("sep=;\r\na\r\n1;2\r\n", [(2, ["a"]), (3, ["1", "2"])]),
        ("\n ,\na, b \n,\n", [(3, ["a", "b"])]),
        ('a,b\n"x\ny",2\n3,4\n', [(1, ["a", "b"]), (2, ["x\ny", "2"]), (4, ["3", "4"])]),
        ("a,e\u0301\n", [(1, ["a", "\u00e9"])]),
        ("a\n1;2\n", [(1, ["a"]), (2, ["1;2"])]),
        ("", []),
    ],
)
def test_rows_of_a_table(text: str, rows: list[tuple[int, list[str]]]) -> None:
    assert list(csv_rows(text, "t.csv")) == rows


def test_what_is_no_table_names_its_line() -> None:
    with pytest.raises(BadInput, match=r"t\.csv:2: cannot be read as CSV"):
        list(csv_rows('a,b\n1,"2\n', "t.csv"))
