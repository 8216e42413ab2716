"""The Python interface: runs of tables, objects and suites, boards as frames, scores of arrays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB

import hmcbench
from hmcbench.errors import BadInput
from hmcbench.execute import free_cores
from hmcbench.registry.named import SWITCH
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_hierarchy

pandas = pytest.importorskip("pandas", reason="data frames need pandas")


class Share:
    """The frequency of each class; its argument has no default."""

    views = "table"

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def fit(self, train: Any, _valid: Any, _run: Any) -> None:
        self.shares = train.dense_targets.mean(axis=0) * self.factor

    def predict(self, inputs: Any) -> hmcbench.Scores:
        return hmcbench.Scores(np.tile(self.shares, (len(inputs), 1)))


class Raising(Share):
    """Ends the process, if it is let to."""

    def fit(self, _train: Any, _valid: Any, _run: Any) -> None:
        print("about to end")
        raise SystemExit(3)


def alloys(samples: int = 60) -> Any:
    rng = np.random.default_rng(0)
    family = rng.integers(0, 2, samples)
    phase = family * 2 + rng.integers(0, 2, samples)
    return pandas.DataFrame(
        {
            "a": family + rng.normal(size=samples) * 0.3,
            "b": phase + rng.normal(size=samples) * 0.3,
            "family": np.array(["steel", "alloy"])[family],
            "phase": np.array(list("pqrs"))[phase],
        }
    )


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Any:
    out = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SWITCH, "builtin")
        return hmcbench.run(
            table=alloys(), labels=["family", "phase"], models=["prior", Share(1.0), GaussianNB()], out=out
        )


def test_a_table_and_objects_are_on_one_board(board: Any) -> None:
    frame = board.to_frame()
    assert set(frame["model"]) == {"prior", "Share", "GaussianNB"}
    assert frame.loc[0, ["model", "rank"]].tolist() == ["GaussianNB", 1]
    assert frame.loc[0, "hf1_samples_low"] < frame.loc[0, "hf1_samples"]
    assert len(board.records) == 15 and len(board) == 1
    assert "GaussianNB" in repr(board) and "<table>" in board._repr_html_()


def test_two_rows_compared(board: Any) -> None:
    assert "hf1_samples: GaussianNB is better than prior" in board.compare("GaussianNB", "prior")
    with pytest.raises(BadInput, match="did you mean 'prior'"):
        board.compare("GaussianNB", "prio")


def test_predictions_of_a_cell(board: Any) -> None:
    frame = board.predictions("GaussianNB", fold=1)
    assert {"id", "truth", "coherent", "steel"} <= set(frame.columns)
    assert len(frame) == 12
    for what, says in (({"side": "tst"}, "test"), ({"fold": 9}, "fold 0 seed 0")):
        with pytest.raises(BadInput, match=says):
            board.predictions("GaussianNB", **what)


def test_figures_are_objects(board: Any) -> None:
    assert board.figure().axes
    assert board.figure("confusion-level1", model="GaussianNB").axes
    with pytest.raises(BadInput, match="quality-cost"):
        board.figure("quality-cst")


def test_boards_are_read_again_from_their_folder(board: Any) -> None:
    again = hmcbench.load(board.folders[0])
    assert again.to_frame().equals(board.to_frame())


def test_the_registry_forgets_objects(board: Any) -> None:
    assert board.records
    assert "Share" not in [spec.name for spec in default_registry().specs("models")]
    assert "pickle" not in os.environ.get(SWITCH, "")


def test_another_state_of_an_object_is_another_cell(tmp_path: Path) -> None:
    def keys(factor: float) -> set[str]:
        results = hmcbench.run(
            "smoke", datasets=["toy-tree"], models=[Share(factor)], out=tmp_path, in_process=True
        )
        return {record.key for record in results.records}

    assert keys(1.0) == keys(1.0) != keys(0.5)


def test_cells_in_this_process(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    share = Share(1.0)
    share.unpicklable = (i for i in range(3))  # type: ignore[attr-defined]
    models = [share, Raising(1.0), "prior"]
    with pytest.raises(BadInput, match="in_process=True"):
        hmcbench.run("smoke", datasets=["toy-tree"], models=models, out=tmp_path)
    share.__deepcopy__ = lambda _memo: Share(1.0)  # type: ignore[attr-defined]
    results = hmcbench.run(
        "smoke", datasets=["toy-tree"], models=models, out=tmp_path, in_process=True, progress=False
    )
    status = {record.label: record.data["status"] for record in results.records}
    assert status == {"Share": "ok", "Raising": "failed", "prior": "ok"}
    (failed,) = [record for record in results.records if not record.ok]
    assert failed.data["message"] == "SystemExit: 3"
    assert "about to end" in (failed.path / "log.txt").read_text()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "no data are named. Allowed: one of suite, table, images"),
        ({"suite": "smoke", "images": "x"}, "suite and images together"),
        ({"suite": "smok"}, "did you mean 'smoke'"),
        ({"suite": "smoke", "labels": ["a"]}, "labels without table"),
        ({"table": 3}, "table is a int"),
        ({"suite": "smoke", "models": [3]}, "3 is no model"),
        ({"suite": "smoke", "models": ["prio"]}, "did you mean 'prior'"),
        ({"suite": "smoke", "plugins": ["absent.py"]}, "there is no file absent.py"),
        ({"suite": "smoke", "models": ["mine.py"]}, "names no model of the file. Allowed: FILE.py:NAME"),
        ({"suite": "smoke", "rerun": "al"}, "unknown rerun 'al'"),
        ({"suite": "smoke", "device": "tpu"}, "device 'tpu'. Allowed: auto, cpu, cuda, cuda:N"),
        ({"suite": "smoke", "seeds": -1}, "seeds=-1. Allowed: 0 or more"),
        ({"suite": "smoke", "timeout": -1.0}, "timeout=-1.0. Allowed: 0 or more"),
        ({"suite": "smoke", "jobs": 0}, "jobs=0. Allowed: 1 or more"),
        ({"suite": "smoke", "hierarchy": "h.csv"}, "hierarchy without table"),
        ({"suite": "smoke", "kinds": {"a": "number"}}, "kinds without table"),
    ],
)
def test_bad_arguments_are_one_line(arguments: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as error:
        hmcbench.run(**arguments, out=tmp_path)
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


SCRIPT = """
import sys
import numpy as np
from hmcbench.registry.objects import _digest

class Base:
    views = "table"

class Mine(Base):
    def __init__(self, width):
        self.width, self.weights = width, np.arange(width)
    def fit(self, train, valid, run): self.shares = share(train)
    def predict(self, inputs): return self.shares

def share(train): return train.targets.mean(axis=0)

print(_digest(Mine(int(sys.argv[1]))))
"""


def test_the_key_of_an_object_is_the_same_in_every_process(tmp_path: Path) -> None:
    """Else the same script, started again, would run all of its cells again."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)

    def digest(width: int, seed: str) -> str:
        command = [sys.executable, str(script), str(width)]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert digest(3, "1") == digest(3, "2") != digest(4, "1")


def test_columns_of_a_table_as_on_the_command_line(tmp_path: Path) -> None:
    frame = pandas.DataFrame({"x": range(40), "top": [1, 0] * 20, "a": [1, 0, 0, 0] * 10, "n": [1, 2] * 20})
    results = hmcbench.run(
        table=frame, labels=["a"], parent="top", kinds={"n": "nominal"}, models=["prior"], in_process=True,
        folds=2, out=tmp_path, progress=False,
    )  # fmt: skip
    reference = results.records[0].dataset_reference
    assert "parent=top" in reference and "kinds=n:nominal" in reference
    (tmp_path / "h.csv").write_text("parent,child\n,top\ntop,a\n")
    results = hmcbench.run(
        table=frame, labels=["top", "a"], hierarchy=tmp_path / "h.csv", models=["prior"], in_process=True,
        folds=2, out=tmp_path, progress=False,
    )  # fmt: skip
    assert "hierarchy=" in results.records[0].dataset_reference


# --------------------------------------------------------------------------- scores

EDGES = [("", "a"), ("a", "b"), ("a", "c")]


@pytest.mark.parametrize("form", ["texts", "lists", "array", "frame"])
def test_forms_of_labels(form: str) -> None:
    h = tiny_hierarchy()
    leaves = [h.classes[i] for i in np.flatnonzero(h.leaves)]
    truth, predicted = [leaves[0], leaves[1], leaves[2]], [leaves[0], leaves[1], leaves[1]]

    def formed(names: list[str]) -> Any:
        sets = h.encode([[name] for name in names]).toarray()
        return {
            "texts": names,
            "lists": [[name] for name in names],
            "array": sets,
            "frame": pandas.DataFrame(sets, columns=h.classes)[list(reversed(h.classes))],
        }[form]

    assert hmcbench.score(formed(truth), formed(predicted), h)["exact_match"] == pytest.approx(2 / 3)


def test_scores_are_decided() -> None:
    scores = np.array([[0.9, 0.8, 0.1], [0.9, 0.2, 0.7]])
    values = hmcbench.score(["b", "c"], scores, EDGES)
    assert values["exact_match"] == 1.0 and values["auprc_micro"] == 1.0
    assert hmcbench.score(["b", "b"], scores, EDGES, paths="single")["exact_match"] == 0.5


@pytest.mark.parametrize(
    ("truth", "predicted", "says"),
    [
        (["b"], ["b", "c"], "2 predictions for 1 samples"),
        (["b"], np.array([[0.9, 1.2, 0.1]]), "outside 0 to 1"),
        (["b"], np.array([[0.9, np.nan, 0.1]]), "outside 0 to 1"),
        (["b"], np.array([[0.9, 0.1]]), "2 columns. Allowed: 3"),
        (np.array([[2, 0, 0]]), ["b"], "values other than 0 and 1"),
        (["d"], ["b"], "d"),
        (["b"], pandas.DataFrame({"a": [1], "b": [1]}), "there is no column 'c'"),
        (["b"], pandas.DataFrame({"a": [1], "b": [1], "c": [0], "d": [0]}), "'d' is no class"),
    ],
)
def test_bad_scores_are_one_line(truth: Any, predicted: Any, says: str) -> None:
    with pytest.raises(BadInput) as error:
        hmcbench.score(truth, predicted, EDGES)
    assert says in str(error.value)


def test_what_is_no_hierarchy_threshold_or_path() -> None:
    with pytest.raises(BadInput, match=r"hierarchy is a int\. Allowed: a Hierarchy, pairs"):
        hmcbench.score(["b"], ["b"], 3)
    with pytest.raises(BadInput, match=r"threshold=3\. Allowed: 0 to 1"):
        hmcbench.score(["b"], ["b"], EDGES, threshold=3)


def test_cells_in_this_process_do_not_share_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They run one after the other, however many were asked for."""
    monkeypatch.setattr("hmcbench.execute.free_cores.busy_cores", lambda: 1.0)
    monkeypatch.setattr("hmcbench.execute.resources.cores", lambda: 2)
    at_once: list[int] = []
    asked = free_cores.on_free_cores
    monkeypatch.setattr(
        free_cores, "on_free_cores", lambda cells, todo, n: at_once.append(n) or asked(cells, todo, n)
    )
    hmcbench.run(
        "smoke", datasets=["toy-tree"], models=["prior", "random"], out=tmp_path, jobs=2, in_process=True
    )
    assert at_once == [1]
