"""Tables of new samples: what is predicted for the samples of a run is what the run stored."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_materials.data.synthetic import make_table

import hmcbench
from hmcbench.records.record import Record

SUITE = """
[suite]
name = "mixed"
version = 1
datasets = ["table[labels=family;phase]", "arff", "nims-steel", "metallic-glass", "hea-phases"]
primary = "hf1_samples"

[protocol]
test = 0.3
validation = 0.2

[profiles.quick]
models = ["forest[n_estimators=3]", "knn", "prior"]
threads = 1
"""
FAMILIES = {"steel": ("ferritic", "austenitic"), "nickel": ("cast", "wrought")}


def alloys(path: Path) -> None:
    """Numbers with gaps, a nominal column, two levels of labels."""
    random = np.random.default_rng(0)
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["heat", "x", "colour", "family", "phase"])
        for i in range(90):
            family = list(FAMILIES)[i % 2]
            x = f"{random.normal() + i % 2:.3f}" if i % 7 else ""
            colour = ["red", "green", "blue"][random.integers(3)]
            phase = FAMILIES[family][random.integers(2)]
            writer.writerow([f"{random.normal():.3f}", x, colour, family, phase])


def arff(path: Path) -> None:
    random = np.random.default_rng(1)
    lines = ["@relation r", "@attribute size numeric", "@attribute colour {red,green}"]
    lines += ["@attribute class hierarchical a,a/b,a/c,d,d/e", "@data"]
    for i in range(60):
        size = f"{random.normal():.3f}" if i % 9 else "?"
        lines.append(f"{size},{['red', 'green'][i % 2]},{['a/b', 'a/c@d/e', 'd'][i % 3]}")
    path.write_text("\n".join(lines) + "\n")


@dataclass(frozen=True)
class Runs:
    """The data of a run, by the name of the dataset, and its records."""

    data: dict[str, Path]
    records: list[Record]

    def of(self, dataset: str, model: str) -> Record:
        (record,) = [
            r
            for r in self.records
            if r.data["dataset"]["name"] == dataset and r.data["model"]["name"] == model
        ]
        return record


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    folder = tmp_path_factory.mktemp("mixed")
    data = {name: folder / f"{name}.csv" for name in ("table", "nims-steel", "metallic-glass", "hea-phases")}
    data["arff"] = folder / "set.arff"
    alloys(data["table"])
    arff(data["arff"])
    for name in ("nims-steel", "metallic-glass", "hea-phases"):
        table = make_table(name, 0)
        with data[name].open("w", newline="") as stream:
            csv.writer(stream).writerows([table.columns, *table.rows])
    (folder / "suite.toml").write_text(SUITE)
    boards = hmcbench.run(folder / "suite.toml", data=data, out=folder / "runs", in_process=True, splits=1)
    assert all(record.ok for record in boards.records)
    return Runs(data, list(boards.records))


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


CASES = [
    *(("table", model) for model in ("forest", "knn", "prior")),
    *(("arff", model) for model in ("forest", "knn", "prior")),
    *(("nims-steel", model) for model in ("knn", "prior")),
    ("metallic-glass", "forest"),
    ("hea-phases", "knn"),
]


@pytest.mark.parametrize(("dataset", "model"), CASES)
def test_the_samples_of_the_run_get_the_stored_scores(
    runs: Runs, cli: Callable[..., Any], dataset: str, model: str
) -> None:
    """Through the file of the estimators, the columns that it keeps, and the reader of the dataset."""
    record = runs.of(dataset, model)
    ended = cli("predict", record.path, runs.data[dataset])
    assert ended.status == 0, ended.err
    printed = {row["id"]: row for row in rows(ended.out)}
    stored = record.predictions()
    task = stored.task
    names = task.targets if task.hierarchy is None else task.hierarchy.classes
    got = np.array([[float(printed[i][name]) for name in names] for i in stored.ids])
    np.testing.assert_allclose(got, stored.scores, rtol=1e-6, atol=1e-6)
    if task.hierarchy is not None:
        test = stored.of_side("test")
        sets = task.hierarchy.encode(
            [list(filter(None, printed[i]["coherent"].split("|"))) for i in test.ids]
        )
        right = (sets.toarray() == test.truth.toarray()).all(axis=1)
        assert record.metrics("test")["exact_match"] == pytest.approx(right.mean())


def test_a_label_and_its_confidence_for_every_level(runs: Runs, cli: Callable[..., Any]) -> None:
    record = runs.of("table", "forest")
    for row in rows(cli("predict", record.path, runs.data["table"]).out):
        for k in (1, 2):
            assert row[f"level{k}"].count("/") == k - 1
            assert row[f"confidence{k}"] == row[row[f"level{k}"]]
        assert row["coherent"] == row["level2"]
    line = json.loads(cli("predict", record.path, runs.data["table"], "--json").out.splitlines()[0])
    assert line["id"] == "line-00002" and line["levels"][0]["label"] == [line["coherent"][0].split("/")[0]]
    several = rows(cli("predict", runs.of("arff", "forest").path, runs.data["arff"]).out)
    assert any(row["level1"] == "a|d" and row["confidence1"].count("|") == 1 for row in several)


def test_columns_are_found_by_name_and_labels_are_not_needed(
    runs: Runs, cli: Callable[..., Any], tmp_path: Path
) -> None:
    file = tmp_path / "new.csv"
    file.write_text("note,colour,x,heat\nk,red,0.5,1\nk,violet,,2\nk,red,abc,3\n")
    ended = cli("predict", runs.of("table", "forest").path, file)
    assert ended.status == 1 and [row["id"] for row in rows(ended.out)] == ["line-00002", "line-00003"]
    assert "note  new.csv: column 'colour': no training sample has 'violet'; taken as missing" in ended.err
    assert "unreadable  new.csv:4: column 'x': 'abc' is no number" in ended.err
    assert "2 rows predicted, 1 could not be read" in ended.err
    new = tmp_path / "new.arff"
    new.write_text(
        "@relation r\n@attribute colour {blue,green}\n@attribute size numeric\n@data\nblue,1\ngreen,?\n"
    )
    ended = cli("predict", runs.of("arff", "forest").path, new)
    assert ended.status == 0 and len(rows(ended.out)) == 2 and "no training sample has 'blue'" in ended.err


def test_alloys_need_a_formula_only(runs: Runs, cli: Callable[..., Any], tmp_path: Path) -> None:
    known = make_table("metallic-glass", 0)
    formula = known.rows[0][list(known.columns).index("Alloys")] if "Alloys" in known.columns else ""
    file = tmp_path / "new.csv"
    file.write_text(f"Alloy,Phase\n{formula or known.rows[0][0]},\nXe50Kr50,\nnot-a-formula!,BMG\n")
    ended = cli("predict", runs.of("metallic-glass", "forest").path, file)
    assert [row["id"] for row in rows(ended.out)] == ["line-00002"], ended.err
    assert ended.status == 1 and "no training sample has" in ended.err and "new.csv:4" in ended.err


REFUSED = [
    ("x,y\n1,2\n", "lacks columns that the model was trained on: heat, colour"),
    ("heat,x,color\n1,2,red\n", "did you mean 'color'"),
    ("", "is empty"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=[says for _, says in REFUSED])
def test_tables_that_cannot_be_used(
    runs: Runs, cli: Callable[..., Any], tmp_path: Path, text: str, says: str
) -> None:
    (tmp_path / "new.csv").write_text(text)
    ended = cli("predict", runs.of("table", "knn").path, tmp_path / "new.csv", "--output", tmp_path / "out")
    assert ended.status == 2 and says in ended.err
    assert "none of the files could be read as a table" in ended.err and not (tmp_path / "out").exists()
    (tmp_path / "new.arff").write_text("@relation r\n@attribute size numeric\n@data\n1\n")
    ended = cli("predict", runs.of("arff", "knn").path, tmp_path / "new.arff")
    assert ended.status == 2 and "lacks the attribute 'colour'" in ended.err


def test_records_of_before(runs: Runs, cli: Callable[..., Any], tmp_path: Path) -> None:
    """Without the columns, and without any model."""
    copy = Path(shutil.copytree(runs.of("table", "forest").path, tmp_path / "copy"))
    (copy / "model" / "inputs.json").unlink()
    ended = cli("predict", copy, runs.data["table"])
    assert ended.status == 2 and "does not keep the columns of its training samples" in ended.err
    shutil.rmtree(copy / "model")
    data = json.loads((copy / "record.json").read_text()) | {"weights": None}
    (copy / "record.json").write_text(json.dumps(data))
    ended = cli("predict", copy, runs.data["table"])
    assert ended.status == 2 and "forest saved none when the record was made" in ended.err
    assert "--rerun all" in ended.err


def test_frames(runs: Runs) -> None:
    pandas = pytest.importorskip("pandas", reason="needs the extra tables")
    record = runs.of("table", "forest")
    frame = pandas.read_csv(runs.data["table"]).drop(columns=["family", "phase"])
    predicted = hmcbench.predict(record.path, frame)
    assert len(predicted) == len(frame) and set(predicted["level1"]) <= set(FAMILIES)
    assert predicted["confidence1"].between(0, 1).all()
    assert "path" not in predicted  # a frame has no path
    with pytest.raises(hmcbench.BadInput, match="samples are no paths"):
        hmcbench.predict(record.path, [1, 2])
    numbers = hmcbench.predict(runs.of("nims-steel", "knn").path, runs.data["nims-steel"])
    assert list(numbers.columns) == ["path", "id", "fatigue", "tensile", "fracture", "hardness"]
    with pytest.raises(hmcbench.BadInput, match="lacks columns"):
        hmcbench.predict(record.path, frame[["x"]].assign(y=1))
