"""The card of a model: every section from records, as Markdown and as HTML, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.records.record import Record
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
    assert "risk\\_at\\_90" in to_markdown([card])


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


def test_names_cannot_break_the_page() -> None:
    card = ModelCard(
        "<b>x|y</b>",
        "title",
        [
            Section(
                "S",
                ["[a](b)"],
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
    assert "\\<b>x\\|y\\</b>" in markdown and "\\[a\\](b)" in markdown
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
