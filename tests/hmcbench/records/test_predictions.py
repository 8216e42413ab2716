from __future__ import annotations

import io
import json
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.records import predictions as predictions_module
from hmcbench.records.predictions import Predictions, PredictionsReader, _stored
from hmcbench.testing.helpers import tiny_dataset


def example(kind: str = "tree") -> Predictions:
    dataset = tiny_dataset(20, kind)  # type: ignore[arg-type]
    assert dataset.task.hierarchy is not None
    rng = np.random.default_rng(0)
    return Predictions(
        ids=list(dataset.ids),
        side=["validation"] * 8 + ["test"] * 12,
        scores=rng.random((20, dataset.task.hierarchy.n), dtype=np.float32),
        task=dataset.task,
        truth=dataset.targets,
        stop=rng.random((20, dataset.task.hierarchy.depth), dtype=np.float32),
        groups=[f"g{i // 3}" for i in range(20)],
    )


@pytest.mark.parametrize("kind", ["tree", "ragged", "dag"])
def test_what_is_saved_is_what_is_loaded(tmp_path: Path, kind: str) -> None:
    before = example(kind)
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert after.ids == list(before.ids)
    assert after.side == list(before.side)
    assert after.groups == list(before.groups or [])
    assert np.array_equal(after.scores, before.scores)
    assert after.stop is not None
    assert before.stop is not None
    assert np.array_equal(after.stop, before.stop)
    truth = before.truth.toarray() if hasattr(before.truth, "toarray") else before.truth
    assert np.array_equal(after.truth.toarray(), truth)
    assert after.task.hierarchy == before.task.hierarchy
    assert (after.task.paths, after.task.depth) == (before.task.paths, before.task.depth)
    assert before.bits == 32, "by default"
    assert (after.bits, after.decisions, after.training, after.unknown) == (32, None, None, None)


def complete() -> Predictions:
    """With every part that a file may have."""
    before = example()
    rng = np.random.default_rng(1)
    wide = before.scores.shape
    return replace(
        before,
        decisions=rng.random(wide) < 0.5,
        training=rng.integers(0, 9, (wide[1], 2)),
        unknown=rng.random(20) < 0.5,
        ruled=rng.random(wide) < 0.5,
    )


def test_every_further_part_is_saved_too(tmp_path: Path) -> None:
    before = complete()
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert np.array_equal(after.decisions.toarray(), before.decisions)
    assert np.array_equal(np.asarray(after.training), np.asarray(before.training))
    assert np.array_equal(np.asarray(after.unknown), np.asarray(before.unknown))
    assert after.ruled is None  # a rule is applied again, never stored


def test_truth_may_be_absent(tmp_path: Path) -> None:
    replace(example(), truth=None).save(tmp_path / "p.npz")
    assert Predictions.load(tmp_path / "p.npz").truth is None


def test_a_selection_has_its_rows_of_every_part() -> None:
    whole, rows = complete(), np.array([3, 11, 2])
    some = whole.take(rows)
    assert some.ids == [whole.ids[i] for i in rows]
    assert some.groups == [(whole.groups or [])[i] for i in rows]
    for name in ("scores", "truth", "stop", "decisions", "ruled", "unknown"):
        assert np.array_equal(getattr(some, name), getattr(whole, name)[rows]), name
    names = ("truth", "stop", "groups", "decisions", "ruled", "unknown")
    without = replace(whole, **dict.fromkeys(names, None)).take(rows)
    assert [getattr(without, name) for name in (*names, "maps")] == [None] * 7


def test_sides_are_put_below_one_another() -> None:
    whole = complete()
    above, below = whole.of_side("validation"), whole.of_side("test")
    both = above.beside(below)
    assert (both.ids, both.side, both.groups) == (list(whole.ids), list(whole.side), list(whole.groups or []))
    for name in ("scores", "truth", "stop", "decisions", "unknown"):
        assert np.array_equal(getattr(both, name), getattr(whole, name)), name
    assert both.ruled is None
    for first, second in ((True, False), (False, True)):
        mixed = [
            replace(part, truth=csr_array(part.truth)) if is_sparse else part
            for part, is_sparse in ((above, first), (below, second))
        ]
        assert np.array_equal(mixed[0].beside(mixed[1]).truth.toarray(), whole.truth), "one of them is sparse"
    none = whole.of_side("far")
    assert above.beside(none) is above
    assert none.beside(above) is above


def test_parts_that_one_of_two_sides_lacks() -> None:
    """Samples without a group are a group each; those of which it was not said are of known classes."""
    whole = complete()
    above, below = whole.of_side("validation"), whole.of_side("test")
    lacking = {"groups": None, "unknown": None, "stop": None, "decisions": None, "truth": None}
    first, second = replace(above, **lacking).beside(below), above.beside(replace(below, **lacking))
    assert whole.groups is not None
    assert whole.unknown is not None
    assert first.groups == [*whole.ids[:8], *whole.groups[8:]]
    assert second.groups == [*whole.groups[:8], *whole.ids[8:]]
    assert np.asarray(first.unknown).tolist() == [*[False] * 8, *whole.unknown[8:].tolist()]
    assert np.asarray(second.unknown).tolist() == [*whole.unknown[:8].tolist(), *[False] * 12]
    for either in (first, second):
        assert (either.stop, either.decisions, either.truth) == (None, None, None)
    neither = replace(above, **lacking).beside(replace(below, **lacking))
    assert (neither.groups, neither.unknown) == (None, None)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    example().save(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as data:
        parts = {name: data[name] for name in data.files}
    header = json.loads(str(parts["header"]))
    assert header["format"] == 1, "files of before must stay readable"
    np.savez(tmp_path / "later.npz", **{**parts, "header": np.array(json.dumps({**header, "format": 2}))})
    with pytest.raises(BadInput, match="format 2, this version reads 1"):
        Predictions.load(tmp_path / "later.npz")


def test_the_stored_bytes_of_a_part_are_all_of_it(tmp_path: Path) -> None:
    """They say whether two files share a part, so none may be left out."""
    example().save(tmp_path / "p.npz")
    content = (tmp_path / "p.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            inflate = zlib.decompressobj(-15)
            assert inflate.decompress(_stored(content, info)) == archive.read(info)
            assert inflate.eof and not inflate.unused_data


def test_novelty_is_kept_with_its_samples(tmp_path: Path) -> None:
    before = replace(example(), novelty=np.arange(20, dtype=np.float32))
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert after.novelty is not None and after.novelty.tolist() == list(range(20))
    test, valid = after.of_side("test"), after.of_side("validation")
    assert test.novelty is not None and test.novelty.tolist() == list(range(8, 20))
    together = test.beside(valid).novelty
    assert together is not None and together.tolist() == [*range(8, 20), *range(8)]
    replace(example(), novelty=np.arange(19, dtype=np.float32)).save(tmp_path / "p.npz")
    with pytest.raises(BadInput, match="19 and 20 rows"):
        Predictions.load(tmp_path / "p.npz")


def test_the_same_numbers_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        example().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_sides_are_taken_apart(tmp_path: Path) -> None:
    test = example().of_side("test")
    assert len(test) == 12
    assert set(test.side) == {"test"}
    assert test.truth.shape[0] == 12


def test_regression_keeps_double_precision(tmp_path: Path) -> None:
    values = np.array([[1.0 + 1e-12, 2.0]])
    before = Predictions(["a"], ["test"], values, Task("regression", targets=("x", "y")), truth=values * 2)
    before.save(tmp_path / "p.npz")
    after = Predictions.load(tmp_path / "p.npz")
    assert np.array_equal(after.scores, values)
    assert np.array_equal(after.truth, values * 2)
    assert after.task.targets == ("x", "y")


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "p.npz"
    with pytest.raises(BadInput, match="is missing"):
        Predictions.load(path)
    example().save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"PK", whole[: len(whole) // 2], b"\x80\x04N."):
        path.write_bytes(damaged)
        with pytest.raises(BadInput, match="cannot be read"):
            Predictions.load(path)


@pytest.mark.parametrize("lacks", ["header", "ids", "side", "scores"])
def test_a_file_without_a_part_or_with_one_of_another_length_is_damaged(tmp_path: Path, lacks: str) -> None:
    example().save(tmp_path / "p.npz")
    with np.load(tmp_path / "p.npz") as data:
        parts = {name: data[name] for name in data.files}
    np.savez(tmp_path / "without.npz", **{name: part for name, part in parts.items() if name != lacks})
    with pytest.raises(BadInput, match="cannot be read"):
        Predictions.load(tmp_path / "without.npz")
    if lacks != "header":
        np.savez(tmp_path / "short.npz", **{**parts, lacks: parts[lacks][1:]})
        with pytest.raises(BadInput, match="19 and 20 rows"):
            Predictions.load(tmp_path / "short.npz")


def test_a_reader_makes_once_what_files_share_and_never_what_differs(tmp_path: Path) -> None:
    first = example()
    others = {
        "scores": replace(first, scores=first.scores / 2),
        "ids": replace(first, ids=[*list(first.ids)[:-1], "another"]),
        "side": replace(first, side=["test"] * 20),
        "truth": replace(first, truth=np.zeros(first.scores.shape, dtype=bool)),
        "groups": replace(first, groups=None),
        "stop": replace(first, stop=None),
        "task": replace(first, task=replace(first.task, depth="ragged")),
    }
    reader = PredictionsReader()
    first.save(tmp_path / "p.npz")
    base = Predictions.load(tmp_path / "p.npz", reader)
    for name, predictions in others.items():
        predictions.save(tmp_path / f"{name}.npz")
        loaded = Predictions.load(tmp_path / f"{name}.npz", reader)
        alone = Predictions.load(tmp_path / f"{name}.npz")
        assert (loaded.ids, loaded.side, loaded.groups) == (alone.ids, alone.side, alone.groups)
        assert loaded.task.depth == alone.task.depth and loaded.task.hierarchy == alone.task.hierarchy
        assert np.array_equal(loaded.scores, alone.scores)
        assert np.array_equal(loaded.truth.toarray(), alone.truth.toarray())
        assert (loaded.stop is None) == (name == "stop")
        same = {
            part
            for part in ("ids", "side", "truth", "groups", "task")
            if vars(loaded)[part] is vars(base)[part]
        }
        assert same == {"ids", "side", "truth", "groups", "task"} - {name}


def test_a_reader_forgets_when_it_has_seen_very_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions_module, "MOST_SHARED", 7)
    reader = PredictionsReader()
    for i in range(5):
        many = replace(example(), ids=[f"{i}-{j}" for j in range(20)])
        many.save(tmp_path / "p.npz")
        assert Predictions.load(tmp_path / "p.npz", reader).ids == list(many.ids)
        assert len(reader._parts) <= 7


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "p.npz", header=np.array([{"format": 1}], dtype=object))
    with pytest.raises(BadInput, match="cannot be read"):
        Predictions.load(tmp_path / "p.npz")


def test_sets_without_scores_are_marked_and_others_are_not(tmp_path: Path) -> None:
    dataset = tiny_dataset(6)
    parts = (dataset.ids, ["test"] * 6, dataset.targets.astype(np.float32), dataset.task)
    for only_sets in (False, True):
        Predictions(*parts, dataset.targets, only_sets=only_sets).save(tmp_path / "p.npz")
        assert Predictions.load(tmp_path / "p.npz").only_sets is only_sets
        with np.load(tmp_path / "p.npz") as stored:
            assert ("only_sets" in str(stored["header"])) is only_sets


def test_a_sample_without_a_group_is_a_unit_of_its_own() -> None:
    """Also beside a group that is named as the sample."""
    dataset = tiny_dataset(5)
    whole = Predictions(dataset.ids, ["test"] * 5, np.zeros((5, 7)), dataset.task)
    assert whole.units is None
    groups = ["g", "", "g", "", dataset.ids[1]]
    units = replace(whole, groups=groups).units
    assert units is not None and [units[0], units[4]] == ["g", dataset.ids[1]]
    assert len(set(units)) == 4 and units[0] == units[2]
    assert replace(whole, groups=list("aabbc")).units == list("aabbc")
