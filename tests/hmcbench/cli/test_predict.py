"""``hmcbench predict`` on a trained network; good and bad input, also of ``hmcbench explain``."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.records.predictions import Predictions
from hmcbench.records.record import read_record

pytestmark = pytest.mark.torch


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_a_folder_gives_the_stored_probabilities(cli: Callable[..., Any], trained_run: Any) -> None:
    ended = cli("predict", trained_run.record, trained_run.images)
    assert ended.status == 0, ended.err
    assert "crop_bottom=4" in ended.err and "36 images predicted, 0 could not" in ended.err
    predicted = {Path(row["path"]).relative_to(trained_run.images).as_posix(): row for row in rows(ended.out)}
    stored = Predictions.load(trained_run.record / "predictions.npz")
    assert stored.task.hierarchy is not None
    for name, scores in zip(stored.ids, stored.scores, strict=True):
        row = predicted[name]
        output = np.array([float(row[c]) for c in stored.task.hierarchy.classes])
        np.testing.assert_allclose(output, scores, atol=2e-5)
        assert row["coherent"] in stored.task.hierarchy.classes
        assert row["raw"]


def test_decisions_are_those_that_plain_ids_score(cli: Callable[..., Any], trained_run: Any) -> None:
    """The share of printed paths that are true is the board's exact_match; of raw decisions, its _raw one."""
    record = read_record(trained_run.record)
    test = record.predictions().of_side("test")
    assert test.task.hierarchy is not None and len(test)
    printed = rows(cli("predict", trained_run.record, *(trained_run.images / name for name in test.ids)).out)
    for column, metric in (("coherent", "exact_match"), ("raw", "exact_match_raw")):
        sets = test.task.hierarchy.encode([row[column].split("|") for row in printed])
        right = (sets.toarray() == test.truth.toarray()).all(axis=1)
        assert record.metrics("test")[metric] == pytest.approx(right.mean())


def test_json_lines_and_a_file(cli: Callable[..., Any], trained_run: Any, tmp_path: Path) -> None:
    image = sorted(trained_run.images.rglob("*.png"))[0]
    out = tmp_path / "said.jsonl"
    ended = cli("predict", trained_run.runs, image, image, "--json", "--output", out)
    assert ended.status == 0, ended.err
    assert not ended.out
    (line,) = out.read_text().splitlines()  # each file once
    output = json.loads(line)
    assert output["path"] == str(image)
    assert sum(p for c, p in output["probabilities"].items() if "/" not in c) == pytest.approx(1, abs=1e-5)


@pytest.fixture
def mixed(trained_run: Any, tmp_path: Path) -> Path:
    """A folder of one image, one torn image, an empty one, notes and a hidden file."""
    folder = tmp_path / "new"
    folder.mkdir()
    shutil.copy(sorted(trained_run.images.rglob("*.png"))[0], folder / "good.png")
    (folder / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    (folder / ".hidden.png").write_bytes(b"x")
    return folder


def test_bad_images_are_named_and_the_others_predicted(
    cli: Callable[..., Any], trained_run: Any, mixed: Path
) -> None:
    ended = cli("predict", trained_run.record, mixed)
    assert ended.status == 1
    assert [Path(row["path"]).name for row in rows(ended.out)] == ["good.png"]
    assert "torn.png: " in ended.err and "empty.jpg: the file is empty" in ended.err
    assert "notes.txt" not in ended.err and "hidden" not in ended.err
    named = cli("predict", trained_run.record, mixed / "good.png", mixed / "notes.txt")
    assert named.status == 1 and "notes.txt: no image" in named.err


def test_no_image_at_all_leaves_no_file(
    cli: Callable[..., Any], trained_run: Any, mixed: Path, tmp_path: Path
) -> None:
    (mixed / "good.png").unlink()
    for command in ("predict", "explain"):
        ended = cli(command, trained_run.record, mixed, "--output", tmp_path / command)
        assert ended.status == 2
        assert ended.err.strip().splitlines()[-1].endswith("none of the files could be read as an image.")
        assert not ended.out and not (tmp_path / command).exists()


REFUSED = [
    (["no-such-run", "{image}"], "unknown record"),
    (["{record}", "no-such-image.png"], "no file no-such-image.png"),
    (["{record}", "{empty}"], "holds no file"),
    (["{record}"], "issing argument"),
    (["{bare}", "{image}"], "--no-weights"),
    (["{record}", "{image}", "--device", "tpu"], "Allowed: auto, cpu"),
    (["{record}", "{image}", "--device", "cuda:77"], "cuda"),
]


@pytest.mark.parametrize("command", ["predict", "explain"])
@pytest.mark.parametrize(("args", "says"), REFUSED, ids=[s for _, s in REFUSED])
def test_what_is_refused(
    cli: Callable[..., Any],
    trained_run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    args: list[str],
    says: str,
) -> None:
    if "cuda:77" in args and pytest.importorskip("torch").cuda.is_available():
        pytest.skip("there is a GPU")
    monkeypatch.chdir(tmp_path)
    places = {"record": trained_run.record, "image": sorted(trained_run.images.rglob("*.png"))[0]}
    places["empty"] = tmp_path / "empty"
    places["empty"].mkdir()
    bare = tmp_path / "bare"
    shutil.copytree(trained_run.record, bare, ignore=shutil.ignore_patterns("model"))
    data = json.loads((bare / "record.json").read_text()) | {"weights": None}
    (bare / "record.json").write_text(json.dumps(data))
    ended = cli(command, *(a.format(**places, bare=bare) for a in args))
    if command == "explain" and says == "issing argument":  # images may be missing where masks are named
        says = "no images"
    assert ended.status == 2, ended
    last = ended.err.strip().splitlines()[-1]
    assert last.startswith("hmcbench: ") and says in last
    assert not ended.out and {p.name for p in tmp_path.iterdir()} == {"bare", "empty"}


def test_records_of_tables_read_no_images(cli: Callable[..., Any], trained_run: Any, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(trained_run.record, tmp_path / "copy"))
    data = json.loads((copy / "record.json").read_text())
    data["dataset"] |= {"name": "toy-tree", "reference": "toy-tree"}
    (copy / "record.json").write_text(json.dumps(data))
    ended = cli("predict", copy, trained_run.images)
    assert ended.status == 2
    assert (
        "trained on toy-tree, which reads no files of new samples" in ended.err and "sem-failure" in ended.err
    )


def test_back_off_prints_how_deep_an_answer_may_go(
    cli: Callable[..., Any], trained_run: Any, tmp_path: Path
) -> None:
    refused = cli("predict", trained_run.record, trained_run.images, "--back-off", 0.2)
    assert refused.status == 2
    assert "no calibration side" in refused.err
    copy = tmp_path / trained_run.record.name
    shutil.copytree(trained_run.record, copy)
    stored = read_record(copy).predictions()
    apart = replace(stored, side=["calibration" if side == "test" else side for side in stored.side])
    apart.save(copy / "predictions.npz")
    ended = cli("predict", copy, trained_run.images, "--back-off", 0.4)
    assert ended.status == 0, ended.err
    assert "back-off: confidence at least" in ended.err
    classes = {"refer", *(stored.task.hierarchy.classes if stored.task.hierarchy else ())}
    for row in rows(ended.out):
        assert row["back_off"] in classes
        path = row["coherent"].split("/")
        assert row["back_off"] == "refer" or path[: row["back_off"].count("/") + 1] == row["back_off"].split(
            "/"
        )
        assert 0 < float(row["confidence"]) <= 1
    assert cli("predict", copy, trained_run.images, "--back-off", 0).status == 2
