"""``predict`` and ``explain`` on a network trained in this session, with good and bad input."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.apply import predict_files as inference
from hmcbench.apply.predict_files import predict_files
from hmcbench.apply.saliency import Explainer
from hmcbench.records.predictions import Predictions
from hmcbench.records.weights import load_trained
from hmcbench.registry.registry import default_registry

pytestmark = pytest.mark.torch


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text)))


def test_a_folder_gives_the_stored_probabilities(cli: Callable[..., Any], trained_run: Any) -> None:
    ended = cli("predict", trained_run.record, trained_run.images)
    assert ended.status == 0, ended.err
    assert "crop_bottom=4" in ended.err and "36 images predicted, 0 could not" in ended.err
    found = {Path(row["path"]).relative_to(trained_run.images).as_posix(): row for row in rows(ended.out)}
    stored = Predictions.load(trained_run.record / "predictions.npz")
    assert stored.task.hierarchy is not None
    for name, scores in zip(stored.ids, stored.scores, strict=True):
        row = found[name]
        said = np.array([float(row[c]) for c in stored.task.hierarchy.classes])
        np.testing.assert_allclose(said, scores, atol=2e-5)
        assert row["coherent"] in stored.task.hierarchy.classes
        assert row["raw"]


def test_json_lines_and_a_file(cli: Callable[..., Any], trained_run: Any, tmp_path: Path) -> None:
    image = sorted(trained_run.images.rglob("*.png"))[0]
    out = tmp_path / "said.jsonl"
    ended = cli("predict", trained_run.runs, image, image, "--json", "--output", out)
    assert ended.status == 0, ended.err
    assert not ended.out
    (line,) = out.read_text().splitlines()  # each file once
    said = json.loads(line)
    assert said["path"] == str(image)
    assert sum(p for c, p in said["probabilities"].items() if "/" not in c) == pytest.approx(1, abs=1e-5)


def test_blocks_change_nothing(
    cli: Callable[..., Any], trained_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(cli("predict", trained_run.record, trained_run.images).out)
    monkeypatch.setattr(inference, "BLOCK", 7)
    parts = rows(cli("predict", trained_run.record, trained_run.images).out)
    assert [r["path"] for r in parts] == [r["path"] for r in whole]
    assert [r["raw"] for r in parts] == [r["raw"] for r in whole]


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
    (["{record}"], "IMAGES"),
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
    assert "trained on toy-tree, which reads no single files" in ended.err and "sem-failure" in ended.err


def test_explain_draws_a_panel_per_level_and_measures(
    cli: Callable[..., Any], trained_run: Any, tmp_path: Path
) -> None:
    images = sorted(trained_run.images.rglob("*.png"))[::12]
    twin = tmp_path / "0.png"  # the same name as the others
    shutil.copy(images[0], twin)
    out = tmp_path / "maps"
    ended = cli("explain", trained_run.record, *images, twin, "--output", out)
    assert ended.status == 0, ended.err
    report = json.loads((out / "explanations.json").read_text())
    assert [e["figure"] for e in report] == ["0.png", "0-2.png", "0-3.png", "0-4.png"]
    assert {p.name for p in out.iterdir()} == {
        *(e["figure"] for e in report),
        "faithfulness.png",
        "explanations.json",
    }
    for entry in report:
        assert [level["level"] for level in entry["levels"]] == [1, 2]
        for level in entry["levels"]:
            assert level["class"] in ("metal", "oxide", *(c for c in entry["coherent"]))
            assert all(0 <= level[name] <= 1 for name in ("probability", "deletion", "insertion"))
            assert -1 <= level["similarity_random_weights"] <= 1
        with Image.open(out / entry["figure"]) as picture:
            assert picture.width > 900 and picture.getextrema()[0][0] < 60
    assert "similarity to the maps of random weights" in ended.out


def test_one_level_fast(cli: Callable[..., Any], trained_run: Any, tmp_path: Path) -> None:
    image = sorted(trained_run.images.rglob("*.png"))[0]
    ended = cli("explain", trained_run.record, image, "--level", "2", "--fast", "--output", tmp_path)
    assert ended.status == 0, ended.err
    (entry,) = json.loads((tmp_path / "explanations.json").read_text())
    assert [level["level"] for level in entry["levels"]] == [2]
    assert not (tmp_path / "faithfulness.png").exists() and "similarity" not in ended.out
    unknown = cli("explain", trained_run.record, image, "--level", "3", "--output", tmp_path)
    assert unknown.status == 2 and "there is no level 3. Allowed: levels 1 to 2" in unknown.err


def test_tiles_are_explained_as_one_picture(
    cli: Callable[..., Any], run_once: Callable[..., Any], tmp_path: Path
) -> None:
    """A class speaks for itself in some of the tiles: the map's maximum is that of the whole image."""
    run = run_once("--set", "timm.tiles=2")
    images = sorted(run.images.rglob("*.png"))[::12]
    ended = cli("explain", run.record, *images, "--output", tmp_path)
    assert ended.status == 0, ended.err
    trained, registry = load_trained(run.record), default_registry()
    explainer = Explainer(trained, faithful=False)
    blocks = predict_files(trained, registry, [str(path) for path in images])
    explained = [one for block in blocks for one in explainer.explain(block)]
    assert len(explained) == 3
    for one, entry in zip(explained, json.loads((tmp_path / "explanations.json").read_text()), strict=True):
        assert one.picture.shape == (64, 64)
        assert [level["class"] for level in entry["levels"]] == [seen.name for seen in one.levels]
        for seen in one.levels:
            assert seen.saliency is not None and seen.saliency.shape == (64, 64)
            peaks = [q.max() for half in np.split(seen.saliency, 2) for q in np.split(half, 2, axis=1)]
            assert max(peaks) == pytest.approx(1) and len(set(peaks)) > 1
