"""What a user reads when something is wrong."""

from __future__ import annotations

import pytest

from hmcbench.errors import BadInput, DataProblems, Problem, close_matches, unknown


def test_an_error_says_what_is_allowed_and_what_to_type() -> None:
    error = BadInput("seed 'x'", allowed="a whole\n number", hint="hmcbench show suite smoke")
    assert str(error) == "seed 'x'. Allowed: a whole number. hmcbench show suite smoke."
    assert str(BadInput("is it there?")) == "is it there?"


def test_an_unknown_name_comes_with_close_matches() -> None:
    error = unknown("model", "random-forst", ["random-forest", "svm"], "hmcbench list models")
    assert str(error).startswith("unknown model 'random-forst'; did you mean 'random-forest'?")
    assert "Allowed: random-forest, svm." in str(error)
    assert close_matches("zzz", ["svm"]) == ""
    assert close_matches("HFFNet", ["svm", "hffnet-2d"]) == "did you mean 'hffnet-2d'?"
    assert close_matches("u-net", ["U-Net, resnet10t", "U-Net"]).startswith("did you mean 'U-Net'")
    assert "there is no model" in str(unknown("model", "svm", []))


def test_only_the_first_twelve_names_are_listed() -> None:
    assert unknown("class", "x", map(str, range(14))).allowed.endswith(" and 2 more")


@pytest.mark.parametrize(
    ("where", "place"),
    [("data.csv:6", "a/data.csv:6"), ("images/1.png", "a/data.csv: images/1.png"), (".", "a/data.csv: .")],
)
def test_the_first_problem_names_the_file(where: str, place: str) -> None:
    error = DataProblems("a/data.csv", [Problem(where, "no label", "label")], "csv")
    assert str(error).startswith(f"{place}: no label. hmcbench data lint a/data.csv --dataset csv")


def test_problems_are_sorted_by_line_and_the_folder_comes_last() -> None:
    places = [".", "a.csv:10", "b.csv", "a.csv:7"]
    error = DataProblems("d", [Problem(p, "w", "k", skippable=p != ".") for p in places])
    assert [p.where for p in error.problems] == ["a.csv:7", "a.csv:10", "b.csv", "."]
    assert "(and 3 more)" in str(error) and "--skip-bad" not in str(error)


def test_problems_that_are_only_counted_are_in_the_number() -> None:
    error = DataProblems("d", [Problem("a.csv:7", "w", "k")], unlisted=50)
    assert "(and 50 more)" in str(error) and "hmcbench data lint d lists the first of them" in str(error)


def test_control_characters_and_line_breaks_stay_out_of_messages() -> None:
    assert str(BadInput("file 'a\x1b[2J\nb'", hint="x\x07")) == "file 'a?[2J b'. x?"


def test_the_message_names_and_counts_what_is_fatal() -> None:
    warning = Problem("a.csv:1", "a warning", "k", fatal=False, skippable=False)
    error = DataProblems("d", [warning, Problem("a.csv:7", "w", "k"), Problem("a.csv:9", "w", "k")])
    assert str(error).startswith("d: a.csv:7: w (and 1 more)") and "--skip-bad" in str(error)
    assert error.problems[0] is warning
