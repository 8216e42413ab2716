"""Figures of records: what they count, that they are written whole, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.fixtures import LEVEL_1, LEVEL_2, confusion_matrices, four_scores, two_alloys
from hmcbench.metrics.probabilities import level_ece
from hmcbench.records.record import record_json
from hmcbench.report.figures import confusion, curves, mistakes, reliability, style


def written(figure: Any, tmp_path: Path) -> Image.Image:
    """The figure as it lies on disk; its outermost pixels are paper, so nothing is cut off."""
    with Image.open(style.save(figure, tmp_path / "f.png")) as picture:
        pixels = np.asarray(picture.convert("L"))
    edges = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    assert (edges == 255).all(), "something touches the edge"
    assert pixels.min() < 80 and not list(tmp_path.glob(".*"))
    return Image.fromarray(pixels)


def many_classes(n: int) -> Evaluation:
    """One level of n classes with long names, five samples each."""
    names = [f"a rather long name of class number {i:03} that goes on_and_on" for i in range(n)]
    hierarchy = Hierarchy.from_edges([("", name) for name in names])
    rng = np.random.default_rng(0)
    truth = np.eye(n, dtype=bool)[np.repeat(np.arange(n), 5)]
    scores = rng.random(truth.shape) + 0.6 * truth
    return Evaluation.of(
        Task("hmc", "single", "full", hierarchy), truth, scores / scores.sum(1, keepdims=True)
    )


def test_confusion_matrices_are_those_of_the_paper(tmp_path: Path) -> None:
    e = confusion_matrices()
    for k, expected in ((1, LEVEL_1), (2, LEVEL_2)):
        counts, columns = confusion.confusion_matrix(e, k)
        assert (counts[:-1, :-1] == expected).all() and counts.sum() == 193
        assert [e.hierarchy.levels[c] for c in columns] == [k] * len(expected)
        with style.styled():
            figure = confusion.confusion(e, k, "the paper's")
        texts = [t.get_text() for t in figure.axes[0].texts]
        assert texts == [str(n) for n in expected.ravel()]
        written(figure, tmp_path)


def test_paths_that_end_early_have_a_row_and_a_column() -> None:
    hierarchy = Hierarchy.from_edges([("", "a"), ("a", "b")])
    truth = np.array([[1, 1], [1, 0], [1, 0]], dtype=bool)
    scores, stop = np.array([[0.9, 0.2], [0.9, 0.9], [0.9, 0.1]]), np.array([[0, 0.8], [0, 0.1], [0, 0.9]])
    e = Evaluation.of(Task("hmc", "single", "ragged", hierarchy), truth, scores, stop)
    assert confusion.confusion_matrix(e, 2)[0].tolist() == [[0, 1], [1, 1]]
    shown = confusion.confusion(e, 2, "").axes[0]
    assert [t.get_text() for t in shown.get_xticklabels()] == ["b", "(none)"]


@pytest.mark.parametrize("n", [3, 24, 70])
def test_long_names_and_many_classes_are_not_cut_off(n: int, tmp_path: Path) -> None:
    e = many_classes(n)
    with style.styled():
        picture = written(confusion.confusion(e, 1, "many classes"), tmp_path)
    assert max(picture.size) < 3000


def test_several_paths_show_what_was_found_missed_and_invented(tmp_path: Path) -> None:
    e = four_scores()
    with style.styled():
        figure = confusion.class_outcomes(e, 2, "classes")
    bars = [round(bar.get_width()) for bar in figure.axes[0].patches]
    hits, said, true = (part[:, 1:].sum(axis=0) for part in (e.matched, e.closed, e.truth))
    assert bars == [*hits, *(true - hits), *(said - hits)]
    written(figure, tmp_path)


def test_a_level_of_very_many_classes_shows_those_with_the_most_errors(tmp_path: Path) -> None:
    hierarchy = Hierarchy.from_edges([("", f"c{i:02}") for i in range(50)])
    truth, scores = np.zeros((60, 50), dtype=bool), np.zeros((60, 50))
    truth[:9, :] = True
    scores[:5, :] = 1  # every class: 5 found, 4 missed
    scores[9:, 45:] = 1  # and the last five invented in 51 samples
    e = Evaluation.of(Task(paths="multiple", hierarchy=hierarchy), truth, scores)
    with style.styled():
        figure = confusion.class_outcomes(e, 1, "classes")
    labels = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    assert labels == [f"c{i:02}" for i in (*range(45, 50), *range(35))]
    widths = [round(bar.get_width()) for bar in figure.axes[0].patches]
    assert widths == [5] * 40 + [4] * 40 + [51] * 5 + [0] * 35
    title = "the 40 classes with the most errors; 10 others: 50 found, 40 missed, 0 invented"
    assert figure.get_suptitle().endswith(title)
    written(figure, tmp_path)


def test_the_gap_of_the_diagram_is_the_metric(tmp_path: Path) -> None:
    e = confusion_matrices()
    for k in (1, 2):
        assert reliability.level_bins(e, k).error == pytest.approx(level_ece(e, k))
    with style.styled():
        written(reliability.reliability(e, "reliability"), tmp_path)


def test_reliability_of_several_paths_pools_class_probabilities() -> None:
    bins = reliability.level_bins(four_scores(), 2)
    assert bins.samples.sum() == 8
    # per bin |sum of probabilities - true|: .1 twice, .2, .3 three times (one is true), .6 and .8 (true)
    assert bins.error == pytest.approx((0.2 + 0.2 + 0.1 + 0.4 + 0.2) / 8)


def test_mistakes_are_sorted_by_confidence(tmp_path: Path) -> None:
    e = many_classes(24)
    confident = mistakes.confident_mistakes(e, 7)
    wrong = np.flatnonzero((e.closed != e.truth).any(axis=1))
    assert {m.row for m in confident} <= set(wrong.tolist()) and len(confident) == 7
    assert [m.confidence for m in confident] == sorted((m.confidence for m in confident), reverse=True)
    assert confident[0].confidence == e.scores[wrong].max()
    assert all(m.said != m.true for m in confident)
    with style.styled():
        ids = [f"folder/$picture$_{i}.png" for i in range(len(e))]
        figure = mistakes.mistake_sheet(
            confident, ids, lambda row: np.full((20, 30), row, np.uint8), "mistakes"
        )
    written(figure, tmp_path)
    assert mistakes.confident_mistakes(confusion_matrices(), 99)[0].confidence == pytest.approx(0.9)


def test_parity(tmp_path: Path) -> None:
    e = two_alloys()
    with style.styled():
        written(mistakes.parity(e.truth, e.scores, e.task.targets, "two alloys"), tmp_path)


def test_training_curves(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    path.write_text("step,train_loss,valid_loss,level1_accuracy,speed\n1,2.5,2.0,0.4,9\n2,1.0,,0.7,9\n")
    history = curves.read_history(path)
    assert np.isnan(history["valid_loss"][1])
    with style.styled():
        figure = curves.curves(history, "curves")
    assert figure is not None and len(figure.axes) == 2
    assert [line.get_label() for line in figure.axes[0].lines] == ["training", "validation"]
    assert [line.get_label() for line in figure.axes[1].lines] == ["level 1, validation"]
    path.unlink()
    written(figure, tmp_path)
    assert curves.curves({"step": [1.0], "speed": [2.0]}, "nothing to show") is None


def test_other_metrics_on_validation_have_a_panel(tmp_path: Path) -> None:
    history = {"step": [1.0, 2.0], "train_loss": [2.0, 1.0], "valid_miou": [np.nan, 0.5]}
    with style.styled():
        first = curves.curves(history, "one metric")
        second = curves.curves({**history, "valid_f_1": [0.1, 0.2]}, "two metrics")
    assert first is not None and second is not None
    assert first.axes[1].get_ylabel() == "mean IoU"
    assert [line.get_label() for line in first.axes[1].lines] == ["mean IoU, validation"]
    assert second.axes[1].get_ylabel() == "validation metrics"
    lines = {line.get_label(): line.get_color() for line in second.axes[1].lines}
    assert list(lines) == ["mean IoU, validation", "f 1, validation"] and len(set(lines.values())) == 2
    written(second, tmp_path)


@pytest.mark.parametrize("text", ["step,train_loss\n1,much\n", "step,train_loss\n1\n2,3,4,5\n"])
def test_a_damaged_history_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "history.csv").write_text(text)
    if "much" in text:
        with pytest.raises(BadInput, match="cannot be read"):
            curves.read_history(tmp_path / "history.csv")
    else:
        assert np.isnan(curves.read_history(tmp_path / "history.csv")["train_loss"][0])


# --------------------------------------------------------------------------- the command


def test_the_command_draws_every_record(cli: Callable[..., Any], fabricate: Any, tmp_path: Path) -> None:
    record = fabricate("good", dataset={"name": "toy-tree", "reference": "toy-tree"})
    fabricate("failed", status="failed", cause="nan")
    ended = cli("figures", tmp_path / "runs")
    assert ended.status == 0, ended.err
    folder = tmp_path / "runs" / "smoke" / "figures" / record.path.name
    names = {"confusion-level1.png", "confusion-level2.png", "reliability.png"}
    assert {p.name for p in folder.iterdir()} == names
    assert "not the data of the run" in ended.out  # no pictures of other data
    elsewhere = cli("figures", record.path, "--output", tmp_path / "out", "--side", "validation")
    assert elsewhere.status == 0
    assert {p.name for p in (tmp_path / "out" / record.path.name).iterdir()} == names


def test_what_the_command_refuses(cli: Callable[..., Any], fabricate: Any, tmp_path: Path) -> None:
    record = fabricate("good")
    (tmp_path / "empty").mkdir()
    for args, says in [
        (["no-such"], "no folder no-such"),
        ([tmp_path / "empty"], "no record of a cell that ended well"),
        ([record.path, "--side", "shfted"], "no side 'shfted'"),
        ([record.path, "--data", "other=x"], "no record is of this dataset"),
        ([record.path, "--data", "other"], "NAME=PATH"),
    ]:
        ended = cli("figures", *args)
        assert ended.status == 2 and says in ended.err, ended
    (record.path / "predictions.npz").write_bytes(b"torn")
    assert cli("figures", record.path).status == 2


def test_records_that_cannot_be_drawn_are_named(
    cli: Callable[..., Any], fabricate: Any, tmp_path: Path
) -> None:
    good, torn = fabricate("good"), fabricate("torn")
    (torn.path / "predictions.npz").write_bytes(b"torn")
    left_out = fabricate("published")
    data = left_out.data | {"predictions": {"left_out": True}}
    (left_out.path / "record.json").write_text(record_json(data))
    (left_out.path / "predictions.npz").unlink()
    other = fabricate("other", sizes={"validation": 30, "test": 40, "shifted": 30})
    ended = cli("figures", tmp_path / "runs", "--output", tmp_path / "out")
    assert ended.status == 0, ended.err
    for record in (torn, left_out):
        assert f"note    {record.path.name}: nothing is drawn: " in ended.out
    assert {p.name for p in (tmp_path / "out").iterdir() if p.is_dir()} == {good.path.name, other.path.name}
    assert list((tmp_path / "out").glob("risk-*.png"))
    ended = cli("figures", tmp_path / "runs", "--output", tmp_path / "shifted", "--side", "shifted")
    assert ended.status == 0 and f"{good.path.name}: nothing is drawn: " in ended.out, ended
    assert (tmp_path / "shifted" / other.path.name).is_dir()


def test_pictures_of_mistakes(cli: Callable[..., Any], fabricate: Any, tmp_path: Path) -> None:
    """The synthetic images are there without --data."""
    from hmcbench.records.predictions import Predictions
    from hmcbench.registry.registry import create, default_registry

    spec, params = default_registry().resolve("datasets", "sem-failure[size=32,shifted=False]")
    dataset = create(spec, params)
    rows = np.arange(0, len(dataset.ids), 40)
    truth = dataset.targets[rows]
    scores = np.random.default_rng(0).random(truth.shape).astype(np.float32)
    ids = [dataset.ids[i] for i in rows]
    predictions = Predictions(ids, ["test"] * len(rows), scores, dataset.task, truth)
    far = replace(
        predictions, ids=[f"far/{i}" for i in ids], side=["far"] * len(ids), truth=truth * np.int8(0) > 0
    )
    predictions = predictions.beside(far)
    named = {"name": "sem-failure", "reference": "sem-failure[size=32,shifted=False]"}
    record = fabricate("net", predictions=predictions, dataset=named | {"fingerprint": dataset.fingerprint})
    ended = cli("figures", record.path, "--output", tmp_path / "out")
    assert ended.status == 0 and "note" not in ended.out, ended
    with Image.open(tmp_path / "out" / record.path.name / "mistakes.png") as sheet:
        assert sheet.width > 1200 and sheet.height > 1000
    ended = cli("figures", record.path, "--output", tmp_path / "far", "--side", "far")
    assert ended.status == 0 and "these samples are not in sem-failure[size=32" in ended.out, ended
    assert not (tmp_path / "far" / record.path.name / "mistakes.png").exists()
