"""For tests of hmcbench and of plugins: tiny data, real data where available, temporary plugins.

The data are the same on every machine: only integers are drawn, and only exact sums are taken.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from unittest.mock import patch

from hmcbench.interfaces import Dataset, Inputs, Labelled, Run, Scores, Task
from hmcbench.registry.loading import GROUP, Manager
from hmcbench.registry.named import SWITCH
from hmcbench.registry.registry import Registry, default_registry

if TYPE_CHECKING:
    import numpy as np

    from hmcbench.hierarchy.hierarchy import Hierarchy
    from hmcbench.interfaces import Model

SHARED = "HMCBENCH_SHARED"
Kind = Literal["tree", "ragged", "multiple", "dag", "chain", "regression"]
_TREE = [("", "a"), ("", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2"), ("b", "b3")]
_DEEPER = [("a1", "a1x"), ("a1", "a1y")]
_CHAIN = [("", "a"), ("a", "a1"), ("a1", "a1x"), ("", "b"), ("b", "b1"), ("b1", "b1x"), ("b1", "b1y")]
_DAG = [("", "a"), ("", "b"), ("", "c"), ("a", "d"), ("b", "d"), ("b", "e"), ("d", "f"), ("c", "f")]


def shared_data(name: str) -> Path:
    """The folder of a real dataset; skips the test where it is missing.

    It is a subfolder of the environment variable ``HMCBENCH_SHARED``, else of ``../shared/datasets``.
    """
    import pytest

    folder = Path(os.environ.get(SHARED) or Path.cwd().parent / "shared" / "datasets") / name
    if not folder.is_dir():
        pytest.skip(f"the dataset {name} is not at {folder} (set {SHARED} to the folder that holds it)")
    return folder


# --------------------------------------------------------------------------- tiny data


def tiny_hierarchy(kind: Kind = "tree") -> Hierarchy:
    """Two levels (2 + 5 classes); ``ragged`` has a third; ``dag`` has classes with two parents, ``chain``
    only children."""
    from hmcbench.hierarchy.hierarchy import Hierarchy

    edges = {"dag": _DAG, "ragged": _TREE + _DEEPER, "chain": _CHAIN}.get(kind, _TREE)
    return Hierarchy.from_edges(edges)


def tiny_dataset(
    samples: int = 60,
    kind: Kind = "tree",
    *,
    noise: float = 0.5,
    seed: int = 0,
    prefix: str = "s",
    **changes: Any,
) -> Dataset:
    """A small dataset with one view, ``table`` float32 (N, 8), from which the targets can be learned.

    Every class adds its own signature to the rows of its samples; uniform noise is added.

    Args:
        samples: N; the classes where paths may end alternate, in an order drawn by ``seed``.
        kind: ``tree``: single paths to leaves; ``ragged``: single paths that end anywhere;
            ``multiple``: one or two leaves each; ``dag``: one or two classes of a DAG, at any depth;
            ``chain``: single paths that end anywhere, in chains of only children;
            ``regression``: two targets, linear in the table.
        noise: half the width of its range; signatures are integers from -2 to 2.
        prefix: prefix of the ids.
        changes: other fields of :class:`hmcbench.interfaces.Dataset`, such as ``groups``.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    ids = [f"{prefix}{i:05d}" for i in range(samples)]
    if kind == "regression":
        task = Task(kind="regression", targets=("strength", "hardness"))
        table = _uniform(rng, samples, 8)
        targets = table @ rng.integers(-2, 3, (8, 2)) + noise * _uniform(rng, samples, 2)
        digest = hashlib.sha256()
    else:
        hierarchy = tiny_hierarchy(kind)
        targets = _labels(rng, samples, kind, hierarchy)
        task = Task(
            paths="multiple" if kind in ("multiple", "dag") else "single",
            depth="ragged" if kind in ("ragged", "dag", "chain") else "full",
            hierarchy=hierarchy,
        )
        signatures = rng.integers(-2, 3, (hierarchy.n, 8)).astype(float)
        table = targets @ signatures + noise * _uniform(rng, samples, 8)
        digest = hashlib.sha256(hierarchy.fingerprint.encode())
    table = table.astype(np.float32)
    digest.update("\n".join(ids).encode() + table.tobytes() + np.ascontiguousarray(targets).tobytes())
    fields = {"views": {"table": table}, "fingerprint": digest.hexdigest(), "synthetic": True, **changes}
    return Dataset(ids=ids, targets=targets, task=task, **fields)


def tiny_suite(name: str, models: Sequence[str], **profile: float) -> str:
    """The text of a suite: models on the dataset ``toy-tree`` (7 classes), 30 % of 200 samples held out.

    Args:
        name: name of the suite.
        models: references, such as ``forest`` or ``mine[depth=3]``.
        profile: further keys of its quick profile, such as ``time_limit`` (seconds).
    """
    settings = {"threads": 1, "time_limit": 60} | profile
    return "\n".join(
        [
            f'[suite]\nname = "{name}"\nversion = 1\ndatasets = ["toy-tree"]\nprimary = "hf1_samples"',
            '[protocol]\nkind = "holdout"\ntest = 0.3',
            f"[profiles.quick]\nmodels = {json.dumps(list(models))}",
            *(f"{key} = {value}" for key, value in settings.items()),
        ]
    )


def _uniform(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """Float (rows, columns) in [-1, 1], in steps of 1/1024 so that their sums are exact."""
    numbers: np.ndarray = rng.integers(-1024, 1025, (rows, columns)) / 1024
    return numbers


def _labels(rng: np.random.Generator, samples: int, kind: Kind, hierarchy: Hierarchy) -> np.ndarray:
    """Closed boolean (N, C) of :func:`tiny_dataset`."""
    ends = range(hierarchy.n) if kind in ("ragged", "dag", "chain") else hierarchy.leaves.tolist()
    labels = [{hierarchy.classes[ends[i % len(ends)]]} for i in rng.permutation(samples)]
    if kind in ("multiple", "dag"):
        for row in labels[::2]:
            row.add(hierarchy.classes[ends[rng.integers(len(ends))]])
    closed: np.ndarray = hierarchy.encode(labels).toarray()
    return closed


def labelled(dataset: Dataset, rows: Any = None) -> Labelled:
    """Rows of a dataset (all by default) as the input of a model's ``fit``, all views included."""
    samples = inputs(dataset, rows)
    rows = range(len(dataset.ids)) if rows is None else rows
    groups = None if dataset.groups is None else [dataset.groups[i] for i in rows]
    return Labelled(samples.ids, samples.views, dataset.targets[list(rows)], groups)


def inputs(dataset: Dataset, rows: Any = None) -> Inputs:
    """Rows of a dataset (all by default) as the input of a model's ``predict``."""
    from hmcbench.data.views import Rows

    rows = list(range(len(dataset.ids)) if rows is None else rows)
    return Inputs([dataset.ids[i] for i in rows], {n: Rows(v, rows) for n, v in dataset.views.items()})


def fitted(model: Any, dataset: Dataset, *, train: Any = None, valid: Any = None, **run: Any) -> Model:
    """The model after ``fit``, by default on two thirds of the samples; the others are for validation."""
    cut = (2 * len(dataset.ids) + 2) // 3
    train = range(cut) if train is None else train
    valid = range(cut, len(dataset.ids)) if valid is None else valid
    model.fit(labelled(dataset, train), labelled(dataset, valid), Run(task=dataset.task, **run))
    fit_model: Model = model
    return fit_model


def assert_batch_independent(model: Model, dataset: Dataset, tolerance: float = 1e-6) -> Scores:
    """Predictions of all samples; they must be finite and the same alone, in blocks and reversed.

    ``tolerance`` is absolute, or relative to the largest prediction where that is above 1.
    """
    import numpy as np

    n = len(dataset.ids)
    all_scores = model.predict(inputs(dataset))
    blocks = [[0], list(range(n))[::-1], list(range(1, n, 2))]
    for rows in blocks:
        block_scores = model.predict(inputs(dataset, rows))
        for name in ("values", "stop", "novelty"):
            block, expected = getattr(block_scores, name), getattr(all_scores, name)
            if (block is None) != (expected is None):
                raise AssertionError(f"only some batches have {name}")
            if expected is not None:
                assert np.isfinite(expected).all()
                limit = tolerance * max(1.0, float(np.abs(expected).max(initial=0)))
                np.testing.assert_allclose(block, expected[rows], rtol=0, atol=limit, err_msg=name)
    return all_scores


def assert_nothing_leaks(
    make: Callable[[], Model], dataset: Dataset, marker: float = 1e6, *, sensitive: bool = True
) -> None:
    """A marker added to the test rows must not change the predictions of other rows.

    Fits on the first half of the samples, validates on the next quarter, and predicts the test
    rows before the validation rows, which finds models that adapt to the rows they predict. Training
    rows in another order must change the predictions (otherwise the check could not fail), unless
    ``sensitive`` is false (for models that read no view, such as a prior).

    Raises:
        AssertionError: a leak, or a model whose predictions do not depend on its training data.
    """
    import numpy as np

    n = len(dataset.ids)
    train, valid, test = range(n // 2), range(n // 2, 3 * n // 4), range(3 * n // 4, n)

    def predictions(change: Callable[[Any], None]) -> Scores:
        views = {name: _copy(view) for name, view in dataset.views.items()}
        for view in views.values():
            change(view)
        changed = replace(dataset, views=views)
        model = fitted(make(), changed, train=train, valid=valid)
        model.predict(inputs(changed, test))
        return model.predict(inputs(changed, valid))

    def mark_test_rows(view: Any) -> None:
        if not isinstance(view, np.ndarray):  # objects, such as pictures: replaced by others
            view[test.start :] = [view[i % test.start] for i in range(len(view) - test.start)]
        elif view.dtype.kind == "f":
            view[test.start :] += np.asarray(marker, view.dtype)
        else:
            view[test.start :] = ~view[test.start :]

    def reverse_training_rows(view: Any) -> None:
        view[: train.stop] = view[: train.stop][::-1].copy()

    clean = predictions(lambda view: None)
    if not same_scores(clean, predictions(mark_test_rows)):
        raise AssertionError("the values of the test rows change predictions of other rows")
    if sensitive and same_scores(clean, predictions(reverse_training_rows)):
        raise AssertionError("predictions do not depend on the training data: this model proves nothing")


def _copy(view: Any) -> Any:
    """A writable copy: an array, or a list of objects."""
    import numpy as np

    return np.array(view) if isinstance(view, np.ndarray) else list(view)


def same_scores(first: Scores, second: Scores) -> bool:
    """Whether two predictions are equal bit for bit."""
    import numpy as np

    pairs = [(getattr(first, name), getattr(second, name)) for name in ("values", "stop", "novelty")]
    return all(a is b if a is None or b is None else bool(np.array_equal(a, b)) for a, b in pairs)


# --------------------------------------------------------------------------- temporary plugins


@contextmanager
def temporary_plugin(*modules: Any) -> Iterator[Registry]:
    """A registry of hmcbench's own plugins and of ``modules`` (or objects), in this process.

    An object may be a ``types.SimpleNamespace`` or an instance of a class whose methods are marked
    ``@hookimpl``; its errors are in ``registry.manager.plugins``, as for any other plugin.
    """
    with patch.dict(os.environ, {SWITCH: "builtin"}):
        manager = Manager()
        manager.load_entry_points()
    for module in modules:
        manager.register(module)
    yield Registry(manager)


@contextmanager
def installed_plugin(
    folder: Path, name: str, source: str, *, files: Sequence[tuple[str, str]] = ()
) -> Iterator[Path]:
    """A module with an entry point, as ``pip install`` writes it: child processes find it too.

    Args:
        folder: an empty folder; on ``sys.path`` and ``PYTHONPATH`` inside the context.
        name: name of the module, of its distribution and of its entry point.
        source: the text of the module.
        files: (path, text) of further files in the folder.
    """
    info = f"{name}-0.0.dist-info"
    contents = [
        (f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0\n"),
        (f"{info}/entry_points.txt", f"[{GROUP}]\n{name} = {name}\n"),
        (f"{name}.py", source),
        *files,
    ]
    for path, text in contents:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    search = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
    environment = patch.dict(os.environ, {"PYTHONPATH": search, SWITCH: "all"})
    with environment, patch.object(sys, "path", [str(folder), *sys.path]):
        importlib.invalidate_caches()
        default_registry.cache_clear()
        try:
            yield folder
        finally:
            sys.modules.pop(name, None)
            default_registry.cache_clear()
