"""The card of a model: every section from records, as Markdown and as HTML, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.errors import BadInput
from hmcbench.metrics.rules.scoring import find_rules
from hmcbench.records.record import Record, read_record
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import default_registry
from hmcbench.report.card import ModelCard, Section, cards, to_html, to_markdown

SIZES = {"validation": 30, "calibration": 60, "test": 80}
COUNTS = {"train": 500, **SIZES}
DATA = {"name": "toy-tree", "reference": "toy-tree", "samples": 670}


def sections(card: ModelCard) -> dict[str, Section]:
    return {section.title: section for section in card.sections}


def measured(fabricate: Callable[..., Record], model: str = "forest", **split: Any) -> Record:
    predictions = fabricate("base", 0.85, sizes=SIZES).predictions()
    if "unknown" in split:
        predictions = replace(predictions, unknown=np.arange(len(predictions.ids)) % 7 == 0)
    return fabricate(model, predictions=predictions, dataset=DATA, split={"counts": COUNTS, **split})


def test_every_section_has_its_numbers(fabricate: Callable[..., Record]) -> None:
    record = measured(fabricate)
    varied = [
        measured(fabricate, unknown=["a1"], fingerprint="u" * 64),
        measured(fabricate, train_share=[0.1], fingerprint="t" * 64, counts={**COUNTS, "train": 50}),
    ]
    (card,) = cards([record, *varied], None, "forest", default_registry())
    by_title = sections(card)
    quality = dict(by_title["Quality"].rows)
    assert quality["hf1_samples"].startswith(f"{record.metrics('test')['hf1_samples']:.3f} [")
    assert len(by_title["Classes"].rows) == 7
    confused = by_title["What it confuses"].rows
    wrong = round(80 * (1 - record.metrics("test")["exact_match"]))
    assert sum(int(row[2].split()[0]) for row in confused) == wrong
    assert "on samples like the 60 put apart" in by_title["When to refer"].lines[0]
    risks = {row[0]: row[1] for row in by_title["When to refer"].rows}
    assert risks["backoff_risk"].startswith(f"{record.metrics('test')['backoff_risk']:.3f}")
    assert risks["conformal_size"].split()[0] == f"{record.metrics('test')['conformal_size']:.3g}"  # no score
    ((never, auroc, *_),) = by_title["What it has never seen"].rows
    assert never == "a1"
    assert auroc.startswith(f"{varied[0].metrics('test')['unknown_auroc']:.3f}")
    assert [line.split(":")[1].strip() for line in by_title["How much data it needs"].lines] == [
        "50 samples",
        "500 samples",
    ]
    assert "Breiman" in "".join(by_title["Licence, citation, origin"].lines)
    assert any(row[0] == "fit (s)" for row in by_title["What it costs"].rows)


def test_it_says_how_the_model_breaks(fabricate: Callable[..., Record], shift: Callable[..., Record]) -> None:
    record = shift(measured(fabricate), 0.9, seen={"noise": range(40)})
    (card,) = cards([record], None, "forest", default_registry())
    section = sections(card)["How it breaks"]
    assert section.heads == ["", "mean and 95 % interval", "drop and 95 % interval"]
    assert [line[0] for line in section.rows] == [
        "all shifts",
        "blur, 0.5 to 1 parts",
        "noise, 0.5 to 1 parts",
    ]
    of_noise = record.part("shifts")["of"]["noise"]
    mean = np.mean([values["hf1_samples"] for values in of_noise["metrics"]])
    assert section.rows[2][1].startswith(f"{mean:.3f} [")
    assert section.rows[2][2].startswith(f"{of_noise['before']['hf1_samples'] - mean:+.3f} [")
    assert "Some shifts are seen by 40 test samples" in section.lines[1]
    for text in (to_markdown([card]), to_html([card])):
        assert "drop and 95 % interval" in text and "noise, 0.5 to 1 parts" in text
    assert "risk_at_90" in to_markdown([card])


def test_what_was_not_measured_is_named(fabricate: Callable[..., Record]) -> None:
    record = fabricate("forest", dataset=DATA)
    (card,) = cards([record], None, "forest", default_registry())
    for title, says in (
        ("When to refer", "[protocol] calibration"),
        ("How it breaks", "no further test set"),
        ("What it has never seen", "[protocol] unknown"),
        ("How much data it needs", "[protocol] train_share"),
    ):
        assert says in sections(card)[title].lines[0]


def test_a_suite_of_one_unknown_class_has_measured_it(fabricate: Callable[..., Record]) -> None:
    record = measured(fabricate, unknown=["a1"])
    (card,) = cards([record], None, "forest", default_registry())
    section = sections(card)["What it has never seen"]
    ((never, auroc, *_),) = section.rows
    assert never == "a1" and auroc.startswith(f"{record.metrics('test')['unknown_auroc']:.3f}")
    assert not any("not measured" in line for line in section.lines)


def test_cells_that_failed_or_never_ran_are_named(fabricate: Callable[..., Record]) -> None:
    split = {"kind": "kfold", "folds": 4}
    done = [fabricate("forest", 0.8, fold=k, dataset=DATA, split=split, prefix=f"{k}-") for k in (1, 2)]
    unread = {"fingerprint": None}
    failed = fabricate(
        "forest", fold=0, dataset=DATA | unread, split=split | unread, status="failed", cause="out of memory"
    )
    planned = {"dataset": "toy-tree", "reference": "toy-tree", "model": "forest", "seed": 0}
    info = {
        "suite": {"name": "smoke", "version": 1, "primary": "hf1_samples"},
        "profile": "quick",
        "cells": [planned | {"fold": 3, "key": "3" * 64, "profile": "quick"}],
    }
    (card,) = cards([failed, *done], info, "forest", default_registry())
    lines = sections(card)["Data"].lines
    assert "cells: 2 of 4 ended well; seeds 0" in lines
    assert any(
        line.endswith("fold 0 seed 0: failed: out of memory") or "out of memory" in line for line in lines
    )
    assert any("missing: not run" in line for line in lines)
    assert dict(sections(card)["Quality"].rows)["hf1_samples"].startswith("0.")
    alone = fabricate("broken", dataset=DATA, status="failed", cause="nan")
    with pytest.raises(BadInput, match="broken"):
        cards([*done, alone], info, "broken", default_registry())


def test_all_of_a_card_is_under_the_rule_that_its_title_names(fabricate: Callable[..., Record]) -> None:
    base = fabricate("base", 0.8, sizes=SIZES).predictions()
    assert base.task.hierarchy is not None
    top, scores = base.task.hierarchy.level_classes(1), base.scores.copy()
    scores[:, top] = np.where(scores[:, top] > 0.3, 0.02, 0.9)  # the rule repairs these parents
    record = fabricate("forest", predictions=replace(base, scores=scores), dataset=DATA)
    rescore(record.path, rules=find_rules(default_registry(), ["max"]))
    record = read_record(record.path)
    ruled = record.data["rules"]["max"]["metrics"]
    assert ruled["test"]["exact_match"] != record.metrics("test")["exact_match"]
    (card,) = cards([record], None, "forest", default_registry())
    assert card.model == "forest · max" and to_markdown([card]).startswith("# forest · max\n")
    quality = dict(sections(card)["Quality"].rows)
    assert quality["hf1_samples"].startswith(f"{ruled['test']['hf1_samples']:.3f}")
    confused = sum(int(row[2].split()[0]) for row in sections(card)["What it confuses"].rows)
    assert confused == round(80 * (1 - ruled["test"]["exact_match"]))


def test_costs_of_two_kinds_of_hardware_are_told_apart(fabricate: Callable[..., Record]) -> None:
    other = {"fingerprint": "hw2", "cpu": "Slide rule"}
    records = [fabricate("forest", dataset=DATA), fabricate("forest", dataset=DATA, seed=1, hardware=other)]
    (card,) = cards(records, None, "forest", default_registry())
    section = sections(card)["What it costs"]
    assert section.heads == ["hardware", "cost", "mean"]
    assert [line[:11] for line in section.lines] == ["hardware A:", "hardware B:"]
    assert [row[0] for row in section.rows if row[1] == "fit (s)"] == ["A", "B"]
    (alone,) = cards(records[:1], None, "forest", default_registry())
    assert sections(alone)["What it costs"].heads == ["cost", "mean"]


def test_names_cannot_break_the_page() -> None:
    card = ModelCard(
        "<b>x|y</b>",
        "title",
        [
            Section(
                "S",
                ["[a](b)", "$1$ ~~c~~ &lt;"],
                ["h"],
                [
                    [
                        "<script>",
                    ]
                ],
            )
        ],
    )
    markdown, page = to_markdown([card]), to_html([card])
    assert "&lt;b&gt;x\\|y&lt;/b&gt;" in markdown and "\\[a\\](b)" in markdown
    assert "\\$1\\$ \\~\\~c\\~\\~ &amp;lt;" in markdown
    assert "<script>" not in page and "<b>" not in page
    assert "&lt;script&gt;" in page


def test_the_command_and_what_it_refuses(
    cli: Callable[..., Any], fabricate: Callable[..., Record], tmp_path: Path
) -> None:
    measured(fabricate)
    runs, page = tmp_path / "runs", tmp_path / "card.html"
    shown = cli("card", runs, "forest")
    assert shown.status == 0, shown.err
    assert shown.out.startswith("# forest\n")
    assert cli("card", runs, "forest", "--format", "html", "--output", page).status == 0
    assert page.read_text().startswith("<!doctype html>")
    refused = cli("card", runs, "forst")
    assert refused.status == 2 and "did you mean 'forest'" in refused.err
    fabricate("broken", status="failed", cause="nan")
    assert cli("card", runs, "broken").status == 2


def test_a_regression_has_its_targets_and_no_section_asks_for_classes(
    fabricate_numbers: Callable[..., Record],
) -> None:
    targets = ("strength", "conductivity")
    record = fabricate_numbers("ridge", 0.2, targets=targets, unit=1e-4, dataset=DATA)
    (card,) = cards([record], None, "ridge", default_registry())
    by_title = sections(card)
    values = record.metrics("test")
    quality = dict(by_title["Quality"].rows)
    assert quality["mae"].startswith(f"{values['mae']:.3g} [") and "e-" in quality["mae"]
    assert by_title["Targets"].heads == ["target", "r2", "mae", "rmse"]
    assert [line[0] for line in by_title["Targets"].rows] == list(targets)
    for target, r2, mae, rmse in by_title["Targets"].rows:
        assert r2.startswith(f"{values[f'target_r2[{target}]']:.3f} [")
        assert mae.startswith(f"{values[f'target_mae[{target}]']:.3g} [")
        assert rmse.startswith(f"{values[f'target_rmse[{target}]']:.3g} [")
    assert "[protocol] calibration" not in to_markdown([card])
    assert "[protocol] unknown" not in to_markdown([card])
    for title in ("When to refer", "What it has never seen"):
        assert "predicts numbers" in by_title[title].lines[0]


def test_one_target_is_not_told_twice(fabricate_numbers: Callable[..., Record]) -> None:
    (card,) = cards([fabricate_numbers("ridge", 0.2, dataset=DATA)], None, "ridge", default_registry())
    assert "Targets" not in sections(card)
