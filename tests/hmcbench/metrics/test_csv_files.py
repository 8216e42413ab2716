"""Scoring of CSV files: the numbers of the fixture, and every way in which a file can be wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.csv_files import score_files
from hmcbench.metrics.fixtures import confusion_matrices

HIERARCHY = "parent,child\n,a\n,x\na,b\na,e\nb,c\nb,d\nx,y\ny,z\n"
TRUTH = "id,labels\n1,c\n2,d\n3,y\n"
SETS = "id,labels\n1,d\n2,e\n3,z\n"
# columns in an order of their own; 2 at the top breaks the hierarchy (b without a)
SCORES = "id,a,b,c,d,e,x,y,z\n3,0,0,0,0,0,.9,.8,.6\n1,.9,.8,.2,.7,0,0,0,0\n2,.1,.6,.1,.2,.6,.1,0,0\n"


class Files:
    """Writes the three files; text, bytes, or None for a file that is not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def score(self, h: Any = HIERARCHY, t: Any = TRUTH, p: Any = SETS, **more: Any) -> dict[str, Any]:
        paths = []
        for name, content in (("H.csv", h), ("T.csv", t), ("P.csv", p)):
            path = self.folder / name
            if content is not None:
                path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        return score_files(paths[0], paths[1], paths[2], specs=SPECS, **more)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


# --------------------------------------------------------------------------- numbers


def test_the_fixture(files: Files) -> None:
    result = files.score()
    values = result["metrics"]
    for name in ("hp_micro", "hr_micro", "hf1_micro"):
        assert values[name] == 0.625
    shown = {
        name: f"{values[name]:.4f}"
        for name in ("hp_samples", "hr_samples", "hf1_samples", "hf1_samples_mean")
    }
    assert list(shown.values()) == ["0.6111", "0.6667", "0.6377", "0.6222"]
    assert (result["samples"], result["classes"], result["levels"]) == (3, 8, 3)
    assert (result["predictions"], result["paths"], result["threshold"]) == ("sets", "single", None)
    assert values["tree_path_distance"] == 2
    assert "incoherent_rate" not in values
    assert not result["failures"]
    assert json.loads(json.dumps(result)) == result


def test_confusion_matrices_of_the_paper(files: Files) -> None:
    e = confusion_matrices()
    names = np.array(e.hierarchy.classes)
    edges = "".join(f"{p},{c}\n" for p, c in e.hierarchy.edges)

    def table(sets: np.ndarray) -> str:
        return "id,labels\n" + "".join(f"{i},{'|'.join(names[row])}\n" for i, row in enumerate(sets))

    result = files.score("parent,child\n" + edges, table(e.truth), table(e.raw))
    assert result["paths"] == "multiple"  # a wrong branch beside the closure of the right one
    assert round(result["metrics"]["level1_accuracy"], 4) == 0.9793
    assert round(result["metrics"]["level2_accuracy"], 4) == 0.9275


def test_scores_are_cut_at_the_threshold(files: Files) -> None:
    result = files.score(p=SCORES)
    values = result["metrics"]
    # closed: abd, abe, xyz against abc, abd, xy
    assert values["hf1_micro"] == pytest.approx(2 * 6 / (9 + 8))
    assert (result["predictions"], result["paths"], result["threshold"]) == ("scores", "multiple", 0.5)
    assert values["violation_rate"] == pytest.approx(2 / 18)  # b and e above a
    assert values["incoherent_rate"] == pytest.approx(1 / 3)
    assert {"auprc_micro", "hf1_micro_raw", "class_f1[z]"} <= set(values)
    other = files.score(p=SCORES, threshold=0.65)["metrics"]
    assert other["hf1_micro"] == pytest.approx(2 * 4 / (5 + 8))  # abd, nothing, xy
    assert other["empty_predictions"] == 1


SOFT = (
    "id,a,b,c,d,e,x,y,z\n1,.6,.45,.4,.2,.1,.4,.3,.3\n2,.7,.4,.1,.5,.2,.3,.4,.4\n3,.4,.3,.1,.1,.1,.6,.6,.8\n"
)


def test_single_paths_of_scores_are_decided_by_the_likeliest_path(files: Files) -> None:
    """Rows that the argmax of every level gets right; few of their scores reach a threshold."""
    truth = "id,labels\n1,c\n2,d\n3,z\n"
    result = files.score(t=truth, p=SOFT, paths="single")
    assert (result["paths"], result["threshold"], result["notes"]) == ("single", None, [])
    values = result["metrics"]
    assert values["exact_match"] == values["exact_match_raw"] == values["level3_argmax_accuracy"] == 1
    assert values["incoherent_rate"] == values["tree_path_distance"] == 0
    for more in ({}, {"paths": "multiple"}):
        result = files.score(t=truth, p=SOFT, **more)
        assert (result["paths"], result["threshold"]) == ("multiple", 0.5)
        assert result["metrics"]["exact_match"] == pytest.approx(2 / 3)
        assert bool(result["notes"]) == (not more)
    assert not files.score(t="id,labels\n1,c|z\n2,d\n3,z\n", p=SOFT)["notes"]


def test_plain_ids_of_scores_read_the_coherent_decision(files: Files) -> None:
    """The argmax of level 1 of the second row is wrong, and its path is right."""
    scores = SOFT.replace("2,.7,.4,.1,.5,.2,.3,", "2,.4,.4,.1,.5,.2,.45,")
    values = files.score(t="id,labels\n1,c\n2,d\n3,z\n", p=scores, paths="single")["metrics"]
    assert (values["exact_match"], values["exact_match_raw"]) == (1, pytest.approx(2 / 3))
    assert (values["level1_accuracy"], values["level1_accuracy_raw"]) == (1, pytest.approx(2 / 3))


def test_sets_of_single_paths_may_be_scored_as_several_and_not_the_other_way(files: Files) -> None:
    assert files.score(paths="multiple")["paths"] == "multiple"
    assert files.score(paths="single")["metrics"] == files.score()["metrics"]
    with pytest.raises(BadInput, match=r"T\.csv:3: the labels of '2' lie on several paths"):
        files.score(t="id,labels\n1,c\n2,d|z\n3,y\n", p=SOFT, paths="single")
    with pytest.raises(BadInput, match=r"P\.csv:2: the labels of '1' lie on several paths"):
        files.score(p="id,labels\n1,c|z\n2,d\n3,y\n", paths="single")


@pytest.mark.parametrize("threshold", [0.3, 0.7])
def test_a_score_equal_to_the_threshold_reaches_it(files: Files, threshold: float) -> None:
    hierarchy, truth = "parent,child\n,a\n", "id,labels\n1,a\n"
    values = files.score(hierarchy, truth, f"id,a\n1,{threshold}\n", threshold=threshold)["metrics"]
    assert values["hr_micro"] == 1


def test_several_paths_empty_rows_spaces_and_quotes(files: Files) -> None:
    truth = '\ufeffid,labels\r\n" 1 ", c | z \r\n\r\n2,\r\n"a,b","d"\r\n'
    result = files.score(t=truth.encode(), p='id,labels\n2,\n1,z|c\n"a,b",d\n')
    assert result["paths"] == "multiple"
    assert result["metrics"]["exact_match"] == 1
    assert result["metrics"]["empty_pairs"] == 1


def test_a_dag(files: Files) -> None:
    result = files.score("parent,child\n,a\n,b\na,c\nb,c\n", "id,labels\n1,c\n", "id,labels\n1,a\n")
    assert result["metrics"]["hr_micro"] == pytest.approx(1 / 3)
    assert result["paths"] == "multiple"


def test_all_installed_metrics_by_default(files: Files, tmp_path: Path) -> None:
    usual = files.score()
    again = score_files(tmp_path / "H.csv", str(tmp_path / "T.csv"), tmp_path / "P.csv")
    assert set(usual["metrics"]) <= set(again["metrics"])


# --------------------------------------------------------------------------- bad files

BIG = "x" * 200_000
BAD: dict[str, tuple[dict[str, Any], str]] = {
    # the hierarchy
    "no hierarchy": ({"h": None}, r"H\.csv.*cannot be read"),
    "empty hierarchy": ({"h": ""}, r"H\.csv:1: the file is empty"),
    "hierarchy header": ({"h": "from,to\n,a\n"}, r"H\.csv:1: the header is 'from,to'"),
    "hierarchy without rows": ({"h": "parent,child\n"}, r"H\.csv"),
    "cycle": ({"h": "parent,child\n,x\na,b\nb,a\n"}, r"H\.csv:3: a cycle: a > b > a"),
    "own parent": ({"h": "parent,child\n,x\na,a\n"}, r"H\.csv:3: .*'a'"),
    "unknown parent": ({"h": "parent,child\n,x\nq,b\n"}, r"H\.csv:3: .*'q'"),
    "hierarchy row": ({"h": "parent,child\n,a\na\n"}, r"H\.csv:3: .*cell"),
    "hierarchy encoding": ({"h": "parent,child\n,a\n,é\n".encode("latin-1")}, r"H\.csv:3: not UTF-8"),
    # truth
    "no truth": ({"t": None}, r"T\.csv: cannot be read: No such file"),
    "empty truth": ({"t": ""}, r"T\.csv:1: the file is empty"),
    "blank truth": ({"t": "\n \n"}, r"T\.csv:1: the file is empty"),
    "truth without rows": ({"t": "id,labels\n"}, r"T\.csv:2: no rows"),
    "truth without header": ({"t": "1,c\n2,d\n"}, r"T\.csv:1: the header is '1,c'.*id,labels"),
    "truth column missing": ({"t": "id\n1\n"}, r"T\.csv:1: the header is 'id'"),
    "truth of scores": ({"t": SCORES}, r"T\.csv:1: the header is 'id,a,b.*id,labels"),
    "truth encoding": ({"t": "id,labels\n1,c\n2,\xe9\n".encode("latin-1")}, r"T\.csv:3: not UTF-8"),
    "utf-16": ({"t": TRUTH.encode("utf-16")}, r"T\.csv:1: not UTF-8"),
    "colons": ({"t": TRUTH.replace(",", ":")}, r"T\.csv:1: the header is 'id:labels'"),
    "unknown class": ({"t": "id,labels\n1,c\n2,d\n3,yy\n"}, r"T\.csv:4: unknown class 'yy'"),
    "close match": (
        {"t": "id,labels\n1,Leaf\n", "h": "parent,child\n,leaf\n"},
        r"T\.csv:2: .*did you mean 'leaf'",
    ),
    "empty label": ({"t": "id,labels\n1,c||d\n"}, r"T\.csv:2: an empty label in 'c\|\|d'"),
    "id twice": ({"t": "id,labels\n1,c\n2,d\n1,y\n"}, r"T\.csv:4: id '1' stands twice, first in line 2"),
    "no id": ({"t": "id,labels\n,c\n"}, r"T\.csv:2: no id"),
    "cells": ({"t": "id,labels\n1,c\n2,d,e\n"}, r"T\.csv:3: 3 cells.*2, as in the header"),
    "open quote": ({"t": 'id,labels\n1,c\n2,"d\n'}, r"T\.csv:3: cannot be read as CSV"),
    "huge cell": ({"t": f"id,labels\n1,{BIG}\n"}, r"T\.csv:2: cannot be read as CSV"),
    # predictions
    "no predictions": ({"p": None}, r"P\.csv: cannot be read"),
    "empty predictions": ({"p": ""}, r"P\.csv:1: the file is empty"),
    "predictions without rows": ({"p": SCORES.splitlines()[0]}, r"P\.csv:2: no rows"),
    "predictions header": ({"p": "name,labels\n1,c\n"}, r"P\.csv:1: the header is 'name,labels'"),
    "id missing there": (
        {"p": "id,labels\n1,d\n"},
        r"T\.csv:3: id '2' has no prediction in .*P\.csv \(and 1 more\)",
    ),
    "id missing here": ({"p": SETS + "4,c\n5,c\n"}, r"P\.csv:5: id '4' is not in .*T\.csv \(and 1 more\)"),
    "id twice there": ({"p": SETS + "1,c\n"}, r"P\.csv:5: id '1' stands twice"),
    "unknown label": ({"p": "id,labels\n1,cc\n2,d\n3,y\n"}, r"P\.csv:2: unknown class 'cc'"),
    "unknown column": ({"p": SCORES.replace("z", "zz")}, r"P\.csv:1: unknown class 'zz' in the header"),
    "labels and more": ({"p": "id,labels,note\n1,c,\n"}, r"P\.csv:1: unknown class 'labels'.*id,labels"),
    "column twice": ({"p": SCORES.replace("y,z", "y,y")}, r"P\.csv:1: the column 'y' stands twice"),
    "column missing": ({"p": "id,a,b\n1,0,0\n"}, r"P\.csv:1: no column for class 'c' \(and 5 more\)"),
    "text": ({"p": SCORES.replace(".7", "much")}, r"P\.csv:3: the score of 'd' is 'much'.*from 0 to 1"),
    "no score": ({"p": SCORES.replace(".7", "")}, r"P\.csv:3: the score of 'd' is ''"),
    "comma": ({"p": SCORES.replace(".7", '"0,7"')}, r"P\.csv:3: the score of 'd' is '0,7'"),
    "too large": ({"p": SCORES.replace(".7", "1.7")}, r"P\.csv:3: the score of 'd' is '1.7'"),
    "underscore": ({"p": SCORES.replace(".7", "0.7_0")}, r"P\.csv:3: the score of 'd' is '0.7_0'"),
    "other digits": ({"p": SCORES.replace(".7", "\u0661")}, r"P\.csv:3: the score of 'd' is"),
    "negative": ({"p": SCORES.replace(".7", "-0.1")}, r"P\.csv:3: the score of 'd' is '-0.1'"),
    "nan": ({"p": SCORES.replace(".7", "nan")}, r"P\.csv:3: the score of 'd' is 'nan'"),
    "infinite": ({"p": SCORES.replace(".7", "inf")}, r"P\.csv:3: the score of 'd' is 'inf'"),
    "score row": ({"p": SCORES + "4,1\n"}, r"P\.csv:5: 2 cells.*9, as in the header"),
    "predictions encoding": ({"p": SETS.encode() + b"\xff,c\n"}, r"P\.csv:5: not UTF-8"),
    # the threshold
    "threshold": ({"threshold": 1.5}, r"threshold 1.5"),
    "threshold nan": ({"threshold": float("nan")}, r"threshold nan"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_says_where_and_what(name: str, files: Files) -> None:
    given, expected = BAD[name]
    with pytest.raises(BadInput, match=expected) as caught:
        files.score(**given)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(files.folder))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_tables_with_other_separators(files: Files, separator: str) -> None:
    tables = {"h": HIERARCHY, "t": TRUTH, "p": SCORES}
    assert files.score(**{k: text.replace(",", separator) for k, text in tables.items()}) == files.score(
        **tables
    )


@pytest.mark.parametrize("forms", [("NFC", "NFD", "NFC"), ("NFD", "NFC", "NFC"), ("NFC", "NFC", "NFD")])
def test_names_in_other_forms_of_unicode_are_the_same(files: Files, forms: tuple[str, ...]) -> None:
    tables = (
        "parent,child\n,\u00fc\n,b\n",
        "id,labels\n\u00e9,\u00fc\n2,b\n",
        "id,labels\n\u00e9,\u00fc\n2,b\n",
    )
    h, t, p = (normalize(form, text) for form, text in zip(forms, tables, strict=True))  # type: ignore[arg-type]
    assert files.score(h=h, t=t, p=p)["metrics"]["exact_match"] == 1


def test_a_folder_is_no_file(files: Files, tmp_path: Path) -> None:
    (tmp_path / "P.csv").mkdir()
    with pytest.raises(BadInput, match=r"P\.csv: cannot be read"):
        files.score(p=None)
