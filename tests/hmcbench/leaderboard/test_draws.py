"""Draws that are kept from one board to the next: the same boards, whatever is or is not there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.interfaces import MetricSpec
from hmcbench.leaderboard import draws as draws_module
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.draws import DrawCache, Draws
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.render.csv_json import to_json
from hmcbench.leaderboard.samples import Samples
from hmcbench.metrics.builtin import SPECS
from hmcbench.publish.publish import publish
from hmcbench.records.given_data import WithTruth
from hmcbench.records.record import JSON, NPZ, Record, read_all, read_record, record_json

Fabricate = Callable[..., Record]
INFO = {
    "suite": {"name": "smoke", "columns": ["hf1_samples", "auprc_micro", "auprc_macro"], "reference": "a"}
}
SIDES = {"validation": 20, "test": 90, "shifted": 60}


@pytest.fixture
def cache(tmp_path: Path) -> DrawCache:
    (tmp_path / "cache").mkdir()
    return DrawCache(tmp_path / "cache")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Labels of the rows that were drawn, not taken from what is kept."""
    labels: list[str] = []
    draws = Samples.draws

    def noted(self: Samples, records: Sequence[Record]) -> Draws:
        labels.append(records[0].label)
        return draws(self, records)

    monkeypatch.setattr(Samples, "draws", noted)
    return labels


def board(records: Sequence[Record], cache: DrawCache | None = None, **more: Any) -> str:
    return to_json(build(records, INFO, cache=cache, **more))


def several(fabricate: Fabricate) -> list[Record]:
    """Three seeds, a further side, three rows."""
    accuracies = (("a", 0.9), ("b", 0.8), ("c", 0.5))
    return [fabricate(m, a, seed=s, sizes=SIDES) for m, a in accuracies for s in range(3)]


def folds(fabricate: Fabricate) -> list[Record]:
    kfold = {"kind": "kfold", "folds": 2}
    rows = (("a", 0.8), ("b", 0.7))
    return [fabricate(m, a, fold=f, split=kfold, prefix=f"{f}-") for m, a in rows for f in range(2)]


@pytest.mark.parametrize("make", [several, folds])
def test_a_board_is_the_same_with_and_without_what_is_kept(
    make: Callable[..., list[Record]], fabricate: Fabricate, cache: DrawCache, drawn: list[str]
) -> None:
    records = make(fabricate)
    plain = board(records)
    rows = sorted({record.label for record in records})
    drawn.clear()
    assert board(records, cache) == plain and drawn == rows
    assert board(records, cache) == plain and drawn == rows
    assert len(list(cache.folder.iterdir())) == len(rows)


def test_nothing_is_read_again_but_to_see_that_it_has_not_changed(
    fabricate: Fabricate, cache: DrawCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = several(fabricate)
    plain = board(records, cache)
    monkeypatch.setattr("hmcbench.records.predictions.PredictionsReader.read", None)
    assert board(records, cache) == plain


def test_a_row_that_is_added_is_drawn_alone_and_in_the_order_of_the_first(
    fabricate: Fabricate, cache: DrawCache, drawn: list[str]
) -> None:
    records = [fabricate("a", 0.9), fabricate("b", 0.7)]
    board(records, cache)
    drawn.clear()
    turned = records[1].predictions()
    turned = turned.take(np.arange(len(turned))[::-1])
    records.append(fabricate("c", predictions=turned))
    with_kept = build(records, INFO, cache=cache)
    assert drawn == ["c"]
    assert to_json(with_kept) == board(records)
    cells = {row.model: row.cells["hf1_samples"] for row in with_kept[0].rows}
    assert cells["b"].low == cells["c"].low  # the same predictions in another order
    assert {d.model: d.low for d in with_kept[0].differences if d.metric == "hf1_samples"}.keys() == {
        "b",
        "c",
    }


@pytest.mark.parametrize("keep", [0, 1, 31, 40, 2000, -1])
def test_what_is_damaged_is_drawn_again(
    keep: int, fabricate: Fabricate, cache: DrawCache, drawn: list[str]
) -> None:
    records = [fabricate("a", 0.9)]
    plain = board(records, cache)
    (path,) = cache.folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    assert board(records, cache) == plain and drawn == ["a", "a"]
    assert path.read_bytes() == whole
    path.write_bytes(whole[:-700] + bytes([whole[-700] ^ 1]) + whole[-699:])  # one bit
    assert board(records, cache) == plain and drawn == ["a"] * 3
    path.unlink()
    assert board(records, cache) == plain and drawn == ["a"] * 4


def changed_scores(record: Record) -> Record:
    predictions = record.predictions()
    replace(predictions, scores=predictions.scores[::-1].copy()).save(record.path / NPZ)
    return record


def changed_threshold(record: Record) -> Record:
    data = {**record.data, "decision": {"rule": "threshold", "thresholds": 0.9}}
    (record.path / JSON).write_text(record_json(data))
    return read_record(record.path)


@pytest.mark.parametrize("change", [changed_scores, changed_threshold])
def test_a_record_that_has_changed_is_drawn_again(
    change: Callable[[Record], Record], fabricate: Fabricate, cache: DrawCache, drawn: list[str]
) -> None:
    records = [fabricate("a", 0.9), fabricate("b", 0.7)]
    board(records, cache)
    records[1] = change(records[1])
    after = board(records, cache)
    assert drawn == ["a", "b", "b"]
    assert after == board(records)


def test_other_metrics_code_or_libraries_are_drawn_again(
    fabricate: Fabricate, cache: DrawCache, drawn: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [fabricate("a", 0.9)]
    board(records, cache)
    board(records, cache, specs=[replace(s, version="2") if s.name == "auprc_micro" else s for s in SPECS])
    build(records, {"suite": {"name": "smoke", "columns": ["hf1_micro"]}}, cache=cache)
    assert drawn == ["a"] * 3
    monkeypatch.setattr(np, "__version__", "0")
    board(records, cache)
    monkeypatch.setattr(draws_module, "_sources", lambda package: f"another {package}")
    board(records, cache)
    assert drawn == ["a"] * 5


def test_the_code_of_a_plugin_counts_and_code_without_a_file_is_not_kept(
    fabricate: Fabricate,
    cache: DrawCache,
    drawn: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = "import numpy as np\nfrom hmcbench import SampleMetric\n"
    source += (
        "share = SampleMetric(lambda e: np.ones((len(e), 2)), lambda sums: sums[..., 0] / sums[..., 1])\n"
    )
    (tmp_path / "plugin_of_one_file.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    draws_module._sources.cache_clear()
    spec = MetricSpec(name="share", version="1", summary="", factory="plugin_of_one_file:share")
    records = [fabricate("a", metrics={"test": {"share": 1.0, "hf1_samples": 0.9}})]
    info = {"suite": {"name": "smoke", "columns": ["share"]}}

    def once(factory: Any) -> None:
        build(records, info, specs=[*SPECS, replace(spec, factory=factory)], cache=cache)

    once(spec.factory)
    once(spec.factory)
    assert drawn == ["a"]
    (tmp_path / "plugin_of_one_file.py").write_text(source.replace("(len(e), 2)", "(len(e), 3)"))
    draws_module._sources.cache_clear()  # as in another process
    once(spec.factory)
    assert drawn == ["a"] * 2
    notebook: dict[str, Any] = {"__name__": "typed_in"}
    exec(source, notebook)
    once(notebook["share"])
    once(notebook["share"])
    assert drawn == ["a"] * 4 and len(list(cache.folder.iterdir())) == 2


def test_the_folder_stays_small_and_what_was_used_last_stays(tmp_path: Path) -> None:
    draws = Draws({"x": np.arange(1000.0)}, {"x": np.array([0.5])})
    cache = DrawCache(tmp_path, most_bytes=30_000)
    for i in range(3):
        cache.put({"row": i}, draws)
        os.utime(cache._path({"row": i}), (i, i))
    cache.tidy()
    cached = cache.get({"row": 0})
    assert cached is not None and cached.columns["x"].tolist() == draws.columns["x"].tolist()
    assert cached.points["x"].tolist() == [0.5]
    cache.put({"row": 3}, draws)
    cache.tidy()
    assert [i for i in range(4) if cache.get({"row": i})] == [0, 2, 3]
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 30_000


def test_temporary_files_of_killed_writers_go_and_those_of_others_stay(tmp_path: Path) -> None:
    cache = DrawCache(tmp_path)
    for name, age in ((".old.tmp", 2 * 24 * 3600), (".new.tmp", 60)):
        (tmp_path / name).write_bytes(b"half")
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    cache.tidy()
    assert (tmp_path / ".old.tmp").exists()  # nothing was put: nothing is looked at
    cache.put({}, Draws())
    cache.tidy()
    assert sorted(path.name for path in tmp_path.glob(".*")) == [".new.tmp"]


def test_without_a_folder_to_write_to_boards_are_the_same(
    fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [fabricate("a", 0.9)]
    plain = board(records)
    assert board(records, DrawCache(tmp_path / "gone")) == plain
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "file"))
    assert DrawCache.open() is None
    assert boards_of(tmp_path / "runs" / "smoke")[0].rows[0].cells["hf1_samples"].low is not None


def test_draws_are_kept_in_the_cache_folder_and_never_published(
    fabricate: Fabricate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[str]
) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    fabricate("a", 0.9)
    boards_of(tmp_path / "runs" / "smoke")
    publish(tmp_path / "runs", tmp_path / "results")
    assert drawn == ["a"]  # a published record has the same predictions
    assert len(list((tmp_path / "cache" / "draws").iterdir())) == 1
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    kinds = {path.suffix or path.name for path in files}
    assert kinds == {".npz", ".json", ".md", ".csv", ".html", "SHA256SUMS"}
    names = {path.name for path in (tmp_path / "results").rglob("*.npz")}
    assert names == {NPZ}


def test_truth_that_was_given_is_no_file_and_its_draws_are_not_kept(
    fabricate: Fabricate, cache: DrawCache
) -> None:
    record = fabricate("a", 0.9)
    given = WithTruth(record.path, record.data, record.predictions().truth)
    assert board([given], cache) == board([record])
    assert not list(cache.folder.iterdir())


def test_a_row_without_truth_is_not_kept_and_fixes_no_order(
    fabricate: Fabricate, cache: DrawCache, tmp_path: Path
) -> None:
    records = [fabricate("a", 0.9), fabricate("b", 0.8)]
    replace(records[0].predictions(), truth=None).save(records[0].path / NPZ)
    records = read_all(tmp_path / "runs")
    assert board(records, cache) == board(records) == board(records, cache)
    assert len(list(cache.folder.iterdir())) == 1
