"""For tests, of hmcbench and of plugins: tiny data, real data where there are any, temporary plugins.

Nothing here is random between machines: only integers and uniform numbers are drawn, and only
sums are taken of them.
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
from hmcbench.registry.loading import GROUP, SWITCH, Manager
from hmcbench.registry.registry import Registry, default_registry

if TYPE_CHECKING:
    import numpy as np

    from hmcbench.hierarchy.hierarchy import Hierarchy
    from hmcbench.interfaces import Model

SHARED = "HMCBENCH_SHARED"
Kind = Literal["tree", "ragged", "multiple", "dag", "regression"]
_TREE = [("", "a"), ("", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2"), ("b", "b3")]
_DEEPER = [("a1", "a1x"), ("a1", "a1y")]
_DAG = [("", "a"), ("", "b"), ("", "c"), ("a", "d"), ("b", "d"), ("b", "e"), ("d", "f"), ("c", "f")]


def shared_data(name: str) -> Path:
    """The folder of a real data set; skips the test, with the reason, where it is not there.

    It is looked for in the folder that the environment variable ``HMCBENCH_SHARED`` names, else
    in ``../shared/datasets`` of the working directory.
    """
    import pytest

    folder = Path(os.environ.get(SHARED) or Path.cwd().parent / "shared" / "datasets") / name
    if not folder.is_dir():
        pytest.skip(f"the data set {name} is not at {folder} (set {SHARED} to the folder that holds it)")
    return folder


# --------------------------------------------------------------------------- tiny data


def tiny_hierarchy(kind: Kind = "tree") -> Hierarchy:
    """Two levels (2 + 5 classes); ``ragged`` has a third below one of them; ``dag`` two-parent classes."""
    from hmcbench.hierarchy.hierarchy import Hierarchy

    edges = {"dag": _DAG, "ragged": _TREE + _DEEPER}.get(kind, _TREE)
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

    Every class adds its own signature to the rows of its samples, and uniform noise is laid over.

    Args:
        samples: N; the end nodes of the hierarchy take turns, in an order drawn by ``seed``.
        kind: ``tree``: single paths to leaves; ``ragged``: single paths that end anywhere;
            ``multiple``: one or two leaves each; ``dag``: one or two classes of a DAG, any depth;
            ``regression``: two targets, linear in the table.
        noise: half its width; signatures are integers from -2 to 2.
        prefix: of the ids.
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
            depth="ragged" if kind in ("ragged", "dag") else "full",
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
    """The text of a suite: these models on the toy plugin's tree (7 classes), 30 % of 200 samples held out.

    Args:
        name: of the suite.
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
    """Float (rows, columns) in [-1, 1], in steps of 1/1024 so that sums of them are exact."""
    drawn: np.ndarray = rng.integers(-1024, 1025, (rows, columns)) / 1024
    return drawn


def _labels(rng: np.random.Generator, samples: int, kind: Kind, hierarchy: Hierarchy) -> np.ndarray:
    """Closed boolean (N, C) of :func:`tiny_dataset`."""
    ends = range(hierarchy.n) if kind in ("ragged", "dag") else hierarchy.leaves.tolist()
    labels = [{hierarchy.classes[ends[i % len(ends)]]} for i in rng.permutation(samples)]
    if kind in ("multiple", "dag"):
        for row in labels[::2]:
            row.add(hierarchy.classes[ends[rng.integers(len(ends))]])
    closed: np.ndarray = hierarchy.encode(labels).toarray()
    return closed


def labelled(dataset: Dataset, rows: Any = None) -> Labelled:
    """Rows of a dataset (all by default) as a model's ``fit`` sees them, all views included."""
    seen = inputs(dataset, rows)
    where = range(len(dataset.ids)) if rows is None else rows
    groups = None if dataset.groups is None else [dataset.groups[i] for i in where]
    return Labelled(seen.ids, seen.views, dataset.targets[list(where)], groups)


def inputs(dataset: Dataset, rows: Any = None) -> Inputs:
    """Rows of a dataset (all by default) as ``predict`` sees them."""
    from hmcbench.data.views import Rows

    where = list(range(len(dataset.ids)) if rows is None else rows)
    return Inputs([dataset.ids[i] for i in where], {n: Rows(v, where) for n, v in dataset.views.items()})


def fitted(model: Any, dataset: Dataset, *, train: Any = None, valid: Any = None, **run: Any) -> Model:
    """The model after ``fit``, by default on two thirds of the samples, the rest for validation."""
    cut = (2 * len(dataset.ids) + 2) // 3
    train = range(cut) if train is None else train
    valid = range(cut, len(dataset.ids)) if valid is None else valid
    model.fit(labelled(dataset, train), labelled(dataset, valid), Run(task=dataset.task, **run))
    fit_model: Model = model
    return fit_model


def assert_batch_independent(model: Model, dataset: Dataset, tolerance: float = 1e-6) -> Scores:
    """Predictions of all samples; they must be finite and the same alone, in blocks and reversed.

    ``tolerance`` is absolute up to 1, and relative to the largest prediction above.
    """
    import numpy as np

    n = len(dataset.ids)
    whole = model.predict(inputs(dataset))
    blocks = [[0], list(range(n))[::-1], list(range(1, n, 2))]
    for rows in blocks:
        part = model.predict(inputs(dataset, rows))
        for name in ("values", "stop"):
            alone, among = getattr(part, name), getattr(whole, name)
            if (alone is None) != (among is None):
                raise AssertionError(f"{name} is there for some batches only")
            if among is not None:
                assert np.isfinite(among).all()
                most = tolerance * max(1.0, float(np.abs(among).max(initial=0)))
                np.testing.assert_allclose(alone, among[rows], rtol=0, atol=most, err_msg=name)
    return whole


def assert_nothing_leaks(
    make: Callable[[], Model], dataset: Dataset, marker: float = 1e6, *, sensitive: bool = True
) -> None:
    """A marker planted in the test rows moves no prediction of another row, whatever is fitted.

    Fits on the first half of the samples, validates on the next quarter, and predicts the test
    rows before the validation rows are looked at, so that a model that adapts to what it predicts
    is found too. That the check can fail is shown by training rows in another order, unless
    ``sensitive`` is false (for models that look at no view, such as a prior).

    Raises:
        AssertionError: a leak, or a model to which its training data make no difference.
    """
    import numpy as np

    n = len(dataset.ids)
    train, valid, test = range(n // 2), range(n // 2, 3 * n // 4), range(3 * n // 4, n)

    def validated(change: Callable[[Any], None]) -> Scores:
        views = {name: _own(view) for name, view in dataset.views.items()}
        for view in views.values():
            change(view)
        changed = replace(dataset, views=views)
        model = fitted(make(), changed, train=train, valid=valid)
        model.predict(inputs(changed, test))
        return model.predict(inputs(changed, valid))

    def plant(view: Any) -> None:
        if not isinstance(view, np.ndarray):  # objects, such as pictures: others in their place
            view[test.start :] = [view[i % test.start] for i in range(len(view) - test.start)]
        elif view.dtype.kind == "f":
            view[test.start :] += np.asarray(marker, view.dtype)
        else:
            view[test.start :] = ~view[test.start :]

    def disorder(view: Any) -> None:
        view[: train.stop] = view[: train.stop][::-1].copy()

    clean = validated(lambda view: None)
    if not same_scores(clean, validated(plant)):
        raise AssertionError("what stands in the test rows changes predictions of other rows")
    if sensitive and same_scores(clean, validated(disorder)):
        raise AssertionError("training data make no difference: this model proves nothing")


def _own(view: Any) -> Any:
    """A copy that may be written into: an array, or a list of objects."""
    import numpy as np

    return np.array(view) if isinstance(view, np.ndarray) else list(view)


def same_scores(first: Scores, second: Scores) -> bool:
    """Whether two predictions are equal bit for bit."""
    import numpy as np

    stops = (first.stop is None) == (second.stop is None)
    if stops and first.stop is not None and second.stop is not None:
        stops = np.array_equal(first.stop, second.stop)
    return stops and bool(np.array_equal(first.values, second.values))


# --------------------------------------------------------------------------- temporary plugins


@contextmanager
def temporary_plugin(*modules: Any) -> Iterator[Registry]:
    """A registry of hmcbench's own plugins and the given ones (modules or objects), in this process.

    An object may be a ``types.SimpleNamespace`` or an instance of a class whose methods carry
    ``@hookimpl``; what is wrong with it shows in ``registry.manager.plugins`` as for any other.
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
    """A module with a real entry point, as ``pip install`` leaves it: child processes see it too.

    Args:
        folder: an empty folder; put on ``sys.path`` and ``PYTHONPATH`` meanwhile.
        name: of the module, of its distribution and of its entry point.
        source: the text of the module.
        files: (path, text) of other files beside it.
    """
    info = f"{name}-0.0.dist-info"
    written = [
        (f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.0\n"),
        (f"{info}/entry_points.txt", f"[{GROUP}]\n{name} = {name}\n"),
        (f"{name}.py", source),
        *files,
    ]
    for path, text in written:
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
