"""Learning curves of fabricated records: which boards make one, what is read off, and the command."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.leaderboard.build import analyse
from hmcbench.leaderboard.compare import compare_models
from hmcbench.leaderboard.grouping import groups
from hmcbench.leaderboard.learning import LearningCurves, crossings, curves, samples_until, table
from hmcbench.metrics.builtin import SPECS
from hmcbench.records.record import Record
from hmcbench.report.figures.learning import learning_figure

Fabricate = Callable[..., Record]
STEEP = {0.1: 0.5, 0.3: 0.75, 1.0: 0.95}
FLAT = {0.1: 0.7, 0.3: 0.75, 1.0: 0.8}


def varied(fabricate: Fabricate, label: str, accuracy: float, **split: Any) -> Record:
    """A record under one setting; its split has a fingerprint of its own."""
    share = (split.get("train_share") or [1.0])[0]
    counts = {"train": round(600 * share), "validation": 30, "test": 200}
    return fabricate(
        label, accuracy, split={**split, "counts": counts, "fingerprint": f"{split!r:0>64}"[-64:]}
    )


def of_shares(fabricate: Fabricate, label: str, accuracies: dict[float, float]) -> list[Record]:
    return [
        varied(fabricate, label, accuracy, **({"train_share": [share]} if share < 1 else {}))
        for share, accuracy in accuracies.items()
    ]


def curves_of(records: list[Record]) -> list[LearningCurves]:
    return curves([(group, analyse(group, {}, specs=SPECS)) for group in groups(records)])


def test_boards_that_differ_in_the_share_make_a_curve(fabricate: Fabricate) -> None:
    records = of_shares(fabricate, "steep", STEEP) + of_shares(fabricate, "flat", FLAT)
    (curve,) = curves_of(records)
    assert [(point.x, point.samples) for point in curve.points] == [(0.1, 60), (0.3, 180), (1.0, 600)]
    assert curve.models == ["steep", "flat"]
    for point in curve.points:
        expected = [r for r in records if r.label == "steep" and r.counts["train"] == point.samples]
        assert point.cells["steep"].mean == pytest.approx(expected[0].metrics("test")["hf1_samples"])
    heads, rows = table(curve, 0.9)
    assert heads == ["model", "60 samples", "180 samples", "600 samples", "samples until 0.9"]
    assert rows[1][-1].startswith("> 600")
    assert len(learning_figure(curve).axes[0].get_lines()) >= 2


def test_samples_until_a_value_lie_on_the_line_between_two_points(fabricate: Fabricate) -> None:
    (curve,) = curves_of(of_shares(fabricate, "steep", STEEP))
    y0, y1 = (curve.points[i].cells["steep"].mean for i in (1, 2))
    assert y0 is not None and y1 is not None
    mean, low, high = samples_until(curve, "steep", (y0 + y1) / 2)
    assert mean == pytest.approx(math.sqrt(180 * 600))
    assert 60 <= low < mean < high
    assert samples_until(curve, "steep", 0.1) == (60, 60, 60)
    assert samples_until(curve, "steep", 0.999)[0] == math.inf


def test_a_crossing_is_told_in_words(fabricate: Fabricate) -> None:
    records = of_shares(fabricate, "steep", STEEP) + of_shares(fabricate, "flat", FLAT)
    (curve,) = curves_of(records)
    (sentence,) = crossings(curve, "steep", "flat")
    assert sentence.startswith("hf1_samples: flat is ahead at ")
    assert "steep at 600 training samples" in sentence
    compared = compare_models(records, "flat", "steep", SPECS)
    assert compared.learning == [sentence]
    apart = of_shares(fabricate, "poor", {0.1: 0.2, 0.3: 0.3, 1.0: 0.4})
    (sentence,) = crossings(curves_of(records + apart)[0], "poor", "flat")
    assert "do not cross; flat is ahead from 60 training samples to 600" in sentence


def test_a_label_with_two_spaces_has_curves(fabricate: Fabricate) -> None:
    """Boards show it with one, and the estimates were looked up by what they show."""
    steady = of_shares(fabricate, "my  net", {0.25: 0.8, 1.0: 0.8})
    steep = of_shares(fabricate, "steep", {0.25: 0.5, 1.0: 0.98})
    (learned,) = curves_of([*steady, *steep])
    assert "my net is ahead at" in crossings(learned, "my net", "steep")[0]


def test_both_kinds_of_wrong_labels_begin_at_none(fabricate: Fabricate) -> None:
    records = [
        varied(fabricate, "net", 0.9),
        varied(fabricate, "net", 0.8, label_noise=[0.1], noise_to="sibling"),
        varied(fabricate, "net", 0.7, label_noise=[0.2], noise_to="sibling"),
    ]
    (curve,) = curves_of(records)
    assert (curve.axis, [point.x for point in curve.points]) == ("label_noise", [0, 0.1, 0.2])
    assert table(curve, 0.9)[0] == ["model", "0 % wrong labels", "10 % wrong labels", "20 % wrong labels"]


def test_the_command_and_what_it_refuses(
    cli: Callable[..., Any], fabricate: Fabricate, tmp_path: Path
) -> None:
    of_shares(fabricate, "steep", STEEP)
    of_shares(fabricate, "flat", FLAT)
    runs = tmp_path / "runs"
    ended = cli("learning", runs, "--reach", 0.85, "--output", tmp_path / "figures")
    assert ended.status == 0, ended.err
    assert "| steep" in ended.out and "samples until 0.85" in ended.out
    assert len(list((tmp_path / "figures").glob("learning-*.png"))) == 1
    of_class = cli("learning", runs, "--metric", "class_f1[a1]")
    assert of_class.status == 0 and "class_f1[a1], mean" in of_class.out
    compared = cli("compare", runs, "steep", "flat").out
    assert "Along the learning curves" in compared
    titles = [line for line in compared.splitlines() if ", split " in line]
    assert len(titles) == len(set(titles)) and any(
        title.endswith(" of the training samples") for title in titles
    )
    for args, says in (
        (["--metric", "hf1_sample"], "did you mean"),
        (["--suite", "other"], "other"),
    ):
        refused = cli("learning", runs, *args)
        assert refused.status == 2 and says in refused.err


def test_one_board_is_no_curve(cli: Callable[..., Any], fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("alone")
    refused = cli("learning", tmp_path / "runs")
    assert refused.status == 2
    assert "train_share = [0.1, 0.3, 1.0]" in refused.err


def test_a_metric_that_the_data_do_not_have_is_refused(
    cli: Callable[..., Any], fabricate: Fabricate, tmp_path: Path
) -> None:
    of_shares(fabricate, "steep", STEEP)
    refused = cli("learning", tmp_path / "runs", "--metric", "level3_accuracy")
    assert refused.status == 2 and not refused.out
    assert "'level3_accuracy'; did you mean 'level" in refused.err and "level2_accuracy" in refused.err
