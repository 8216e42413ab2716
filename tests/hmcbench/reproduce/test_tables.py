"""Published tables as files: what is read, what is refused, what does not add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry
from hmcbench.reproduce.tables import (
    f1,
    find_table,
    inconsistencies,
    known_tables,
    of_datasets,
    parse_table,
    published_row,
)

GOOD = """
[table]
name = "paper-1"
title = "A table"
source = "Somebody (2020), table 1"
suite = "smoke"
digits = 2
metrics = ["class_precision[a]", "class_recall[a]", "class_f1[a]"]
headers = ["a P", "a R", "a F"]
notes = ["a note"]

[protocol]
kind = "holdout"
test = 0.3
repeats = 3

[[row]]
label = "first"
model = "prior"
values = [0.88, 0.56, 0.68]

[[row]]
label = "second"
model = "oracle"
values = [0.78, 0.89, 0.74]
note = "copied wrongly"

[[row]]
label = "ours"
model = "random"
against = "first"

[[figure]]
number = "9"
kind = "history"
rows = ["first"]
columns = ["loss"]
title = "Loss"
"""


def test_a_table_is_read() -> None:
    table = parse_table(GOOD, "t.toml")
    assert table.protocol is not None
    assert (table.protocol.repeats, table.protocol.validation) == (3, 0.1)
    assert [row.label for row in table.rows] == ["first", "second", "ours"]
    assert published_row(table, table.rows[2]) is table.rows[0]
    assert table.figures[0].columns == ("loss",)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('suite = "smoke"', "", "lacks suite"),
        ("digits = 2", 'digits = "2"', "must be of type int"),
        ("digits = 2", "digitz = 2", "did you mean 'digits'"),
        ("[0.88, 0.56, 0.68]", "[0.88, 0.56]", "3 numbers, one per metric"),
        ("[0.88, 0.56, 0.68]", '[0.88, 0.56, "x"]', "3 numbers, one per metric"),
        ('against = "first"', 'against = "fist"', "did you mean 'first'"),
        ('against = "first"', 'against = "ours"', "unknown row with values in t.toml 'ours'"),
        ('rows = ["first"]', 'rows = ["none"]', "unknown row"),
        ('kind = "history"', 'kind = "histry"', "did you mean 'history'"),
        ('kind = "holdout"', 'kind = "holdouts"', "did you mean 'holdout'"),
        ('headers = ["a P", "a R", "a F"]', 'headers = ["a P"]', "1 headers for 3 metrics"),
        ("[table]", "[table", "is not TOML"),
        ("[[row]]", "[[rows]]", "did you mean 'row'"),
    ],
)
def test_a_bad_file_is_one_line_that_names_it(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(BadInput) as error:
        parse_table(GOOD.replace(old, new), "t.toml")
    assert says in str(error.value)
    assert "t.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_tables_are_found_by_name_number_and_file(tmp_path: Path) -> None:
    registry = default_registry()
    for table in known_tables(registry):
        assert repr(find_table(registry, table.name)) == repr(table)  # a value may be nan
    path = tmp_path / "t.toml"
    path.write_text(GOOD)
    assert find_table(registry, str(path)).name == "paper-1"
    with pytest.raises(BadInput, match="cannot be read"):
        find_table(registry, str(tmp_path / "none.toml"))
    with pytest.raises(BadInput, match="unknown published table"):
        find_table(registry, "no-such-table")


def test_an_f_that_does_not_follow_is_told_and_roundings_are_not() -> None:
    (line,) = inconsistencies(parse_table(GOOD, "t.toml"))
    assert line.startswith("second, a: F 0.74 does not follow from P 0.78 and R 0.89")
    assert "0.8314" in line
    assert f1(0.78, 0.89) == pytest.approx(0.8314, abs=1e-4)
    assert f1(0, 0) == 0


SEVERAL = """
[table]
name = "paper-2"
title = "A table of datasets"
source = "Somebody (2020), table 2"
suite = "smoke"
metrics = ["hf1_samples"]
mean_of = 10
datasets = ["toy-tree", "toy-dag", "lost"]
headers = ["Tree", "DAG", "Lost"]

[absent]
lost = "nobody has it"

[[row]]
label = "first"
model = "prior"
values = [0.1, nan, 0.3]

[[row]]
label = "ours"
model = "random"
metric = "exact_match"
against = "first"
"""


def test_a_table_of_several_datasets_is_read() -> None:
    table = parse_table(SEVERAL, "t.toml")
    first, ours = table.rows
    assert table.columns(first)[1] == ("DAG", "toy-dag", "hf1_samples")
    assert [column.metric for column in table.columns(ours)] == ["exact_match"] * 3
    assert table.all_metrics == ("hf1_samples", "exact_match")
    assert (table.seeds, table.margin, table.absent) == (1, 0.05, {"lost": "nobody has it"})
    chosen = of_datasets(table, ["toy-tr*", "Lost"])
    assert (chosen.datasets, chosen.headers) == (("toy-tree", "lost"), ("Tree", "Lost"))
    assert (chosen.rows[0].values, chosen.rows[1].values) == ((0.1, 0.3), ())
    assert of_datasets(table, []) is table
    with pytest.raises(BadInput, match="unknown dataset of table paper-2 'tre'"):
        of_datasets(table, ["Tree", "tre"])
    with pytest.raises(BadInput, match="has one dataset"):
        of_datasets(parse_table(GOOD, "t.toml"), ["*"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[0.1, nan, 0.3]", "[0.1, nan]", "3 numbers, one per dataset"),
        ('["Tree", "DAG", "Lost"]', '["Tree"]', "1 headers for 3 datasets"),
        ('metrics = ["hf1_samples"]', 'metrics = ["hf1_samples", "exact_match"]', "one metric"),
        ("mean_of = 10", 'dataset = "toy-tree"', "no dataset"),
        ("mean_of = 10", "mean_of = -1", "too small"),
        ("mean_of = 10", "seeds = 0", "too small"),
        ("mean_of = 10", "margin = 0", "too small"),
        ("mean_of = 10", 'margin = "0"', "must be of type float"),
        ('"toy-dag"', '"toy-tree"', "an entry twice"),
        ("lost = ", "lots = ", "did you mean 'lost'"),
        ("lost = ", "lost = 3 #", "must be of type str"),
    ],
)
def test_a_bad_table_of_several_datasets_is_one_line(old: str, new: str, says: str) -> None:
    assert old in SEVERAL
    with pytest.raises(BadInput) as error:
        parse_table(SEVERAL.replace(old, new, 1), "t.toml")
    assert says in str(error.value)
    assert "t.toml" in str(error.value)


def test_a_metric_of_a_row_is_for_tables_of_several_datasets() -> None:
    with pytest.raises(BadInput, match="only in a table with datasets"):
        parse_table(GOOD.replace('note = "copied', 'metric = "exact_match"\nnote = "copied'), "t.toml")


@pytest.mark.parametrize("text", ["table = 3", "row = [1]", "absent = 1", "protocol = 1", "figure = [1]"])
def test_what_is_no_table_is_one_line_that_names_it(text: str) -> None:
    key = text.partition(" ")[0]
    blocks = [block for block in GOOD.split("\n\n") if f"[{key}]" not in block]
    with pytest.raises(BadInput, match=rf"^t\.toml \[+{key}\].* = [13]\. Allowed: a table") as error:
        parse_table("\n".join([text, *blocks]), "t.toml")
    assert "\n" not in str(error.value)


def test_of_two_rows_with_one_label_that_with_values_is_compared() -> None:
    table = parse_table(GOOD.replace('label = "ours"', 'label = "first"'), "t.toml")
    assert published_row(table, table.rows[2]) is table.rows[0]
    turned = replace(table, rows=table.rows[::-1])
    assert published_row(turned, turned.rows[0]) is table.rows[0]
