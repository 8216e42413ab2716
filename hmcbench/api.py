"""The Python interface: run a suite or data of one's own, read boards, score, predict.

>>> import hmcbench
>>> board = hmcbench.run("smoke", models=["prior", "oracle"], out=folder)  # doctest: +SKIP
>>> board.to_frame()  # doctest: +SKIP

``hmcbench run`` and the other commands call the same functions. Nothing here prints, but for a progress bar
in a terminal or a notebook.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, get_args

from hmcbench.errors import BadInput, unknown
from hmcbench.registry import objects
from hmcbench.registry.named import SWITCH
from hmcbench.registry.registry import default_registry, load_named

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from hmcbench.execute.executors.base import Event
    from hmcbench.execute.runner import Rerun
    from hmcbench.hierarchy.hierarchy import Hierarchy
    from hmcbench.interfaces import Paths, Value
    from hmcbench.plan.cells import Cell, Plan
    from hmcbench.records.record import Record
    from hmcbench.report.results import Leaderboards

Names = str | Sequence[str]


def run(
    suite: str | Path = "",
    *,
    table: Any = None,
    images: str | Path = "",
    labels: Names = (),
    target: Names = (),
    group: Names = (),
    drop: Names = (),
    parent: str = "",
    hierarchy: str | Path = "",
    kinds: Mapping[str, str] | None = None,
    models: Sequence[Any] = (),
    datasets: Sequence[str] = (),
    data: Mapping[str, str | Path] | None = None,
    profile: str = "",
    seeds: int = 0,
    folds: int = 0,
    splits: int = 0,
    settings: Mapping[str, Value] | None = None,
    shifts: Names = (),
    plugins: Sequence[str | Path] = (),
    out: str | Path = "runs",
    device: str = "auto",
    jobs: int = 1,
    threads: int = 0,
    timeout: float = 0.0,
    rerun: Rerun = "missing",
    in_process: bool = False,
    progress: bool | None = None,
) -> Leaderboards:
    """Run every dataset x model pairing; cells with a record in ``out`` are not run again.

    Args:
        suite: name or TOML file of a suite; or name ``table`` or ``images`` instead.
        table: a CSV file, or a DataFrame, which is copied to ``out/data``.
        images: a folder of labelled images.
        labels, target, group, drop: columns of the table, as for ``hmcbench run --table``.
        parent: a 0/1 column, the class above the labels.
        hierarchy: a CSV file ``parent,child`` of the labels.
        kinds: column -> ``number`` or ``nominal``, where the guess is wrong.
        models: names, references or patterns as for ``--model``; objects with ``fit`` and ``predict``, or
            estimators of scikit-learn, which are copied for every cell. Empty: all of the suite.
        datasets: only these of the suite.
        data: dataset name -> path of your own files.
        profile: of the suite; the first one if empty.
        seeds, folds, splits: 0: as the suite says.
        settings: ``model.param`` -> value.
        shifts: names of shifts that the test samples are predicted under, or ``all``.
        plugins: Python files and modules to load as plugins.
        out: folder of the records.
        device: ``auto``, ``cpu`` or ``cuda:0``.
        jobs: cells at the same time on a CPU; one in this process.
        threads: CPU threads of a cell; 0: the profile's, fewer where other programs keep the cores busy.
        timeout: seconds per cell; 0: the profile's.
        rerun: ``missing``, ``failed`` or ``all``.
        in_process: run the cells in this process, without limits of time and memory.
        progress: a bar on standard error; None: in a terminal or notebook only.

    Returns:
        The boards of the suite, of the cells of this call alone.

    Raises:
        BadInput, DataProblems: anything wrong with the input, in one line.
        KeyboardInterrupt: the same call continues.
    """
    from hmcbench.execute import runner
    from hmcbench.execute.free_cores import on_free_cores
    from hmcbench.report.results import Leaderboards

    _check_options(device, rerun, {"seeds": seeds, "folds": folds, "splits": splits, "timeout": timeout})
    if jobs < 1:
        raise BadInput(f"jobs={jobs}", allowed="1 or more")
    jobs = 1 if in_process else jobs
    names = [model for model in models if isinstance(model, str)]
    others = [model for model in models if not isinstance(model, str)]
    with named_objects(others, in_process) as of_objects:
        plan = make_plan(
            suite,
            table=_table_file(table, Path(out)),
            images=images,
            columns=table_columns(
                {"labels": labels, "target": target, "group": group, "drop": drop, "parent": parent},
                hierarchy,
                kinds,
            ),
            models=[*names, *of_objects],
            datasets=datasets,
            data=data,
            profile=profile,
            seeds=seeds,
            folds=folds,
            splits=splits,
            settings=settings,
            shifts=(shifts,) if isinstance(shifts, str) and shifts else tuple(shifts),
            plugins=[str(plugin) for plugin in plugins],
            time_limit=timeout,
            threads=threads,
        )
        before = runner.existing(plan, Path(out))
        todo = runner.pending(plan, before.records, rerun)
        if not threads:
            plan = replace(
                plan, cells=on_free_cores(plan.cells, todo, runner.together(device, jobs, todo))[0]
            )
        with _bar(todo, progress) as observer:
            outcome = runner.execute(
                plan,
                Path(out),
                device=device,
                jobs=jobs,
                rerun=rerun,
                executor="here" if in_process else "local",
                observer=observer,
                before=before,
            )
    if outcome.interrupted:
        raise KeyboardInterrupt
    return Leaderboards([outcome.folder], outcome.done)


def load(runs: str | Path = "runs", suite: str = "") -> Leaderboards:
    """The boards of a folder that ``run`` or ``hmcbench publish`` wrote.

    Raises:
        BadInput: no such folder or suite, or no records in it.
    """
    from hmcbench.records.suite_file import suite_folders
    from hmcbench.report.results import Leaderboards

    return Leaderboards(suite_folders(Path(runs), suite))


def score(
    truth: Any, predictions: Any, hierarchy: Any, *, paths: Paths | None = None, threshold: float = 0.5
) -> dict[str, float]:
    """Every metric that applies, as ``hmcbench score`` computes them for files.

    Args:
        truth: N label sets: a boolean array (N, C) or a DataFrame with a column per class; or a sequence of
            N lists of class names, or of texts such as ``"a|b"``. Ancestors are added.
        predictions: the same; or scores from 0 to 1 as a float array (N, C) or DataFrame.
        hierarchy: a :class:`hmcbench.Hierarchy`, pairs (parent, child) with ``""`` above the top level, or
            the path of such a CSV file. Arrays have the order of ``hierarchy.classes``.
        paths: ``single`` or ``multiple``; by default multiple for scores, else as in the labels.
        threshold: for scores of multiple paths.

    Raises:
        BadInput: shapes, names or values that do not fit.
    """
    from hmcbench.metrics.computing import compute
    from hmcbench.metrics.csv_files import evaluation_of

    if not 0 <= threshold <= 1:
        raise BadInput(f"threshold={threshold}", allowed="0 to 1")
    classes = _hierarchy(hierarchy)
    sets, predicted = _sets(truth, classes, "truth"), _scores_or_sets(predictions, classes)
    if sets.shape != predicted.shape:
        raise BadInput(f"{predicted.shape[0]} predictions for {len(sets)} samples of the truth")
    evaluation = evaluation_of(classes, sets, predicted, threshold, paths)
    return dict(compute(default_registry().specs("metrics"), evaluation))


def predict(runs: str | Path, samples: Any, *, model: str = "", device: str = "auto") -> pd.DataFrame:
    """Classes and scores, or predicted numbers, of new samples: a row for each that can be read.

    Args:
        runs: a record, a row (``runs/alloys/forest``), a suite's folder, or a folder of runs with one suite.
        samples: a path or several: images or tables, or folders with all files below them; or a DataFrame
            with the columns of the training samples.
        model: a row of the board; the first row with a kept model if empty. Of several folds and seeds the
            first predicts.
        device: as in :func:`run`.

    Returns:
        ``path``, except of a DataFrame (and ``id`` of rows of a table); ``coherent`` and ``raw`` decisions
        (classes joined by ``|``), ``level1``, ``confidence1``, ..., a column per class; of a regression a
        column per target.

    Raises:
        BadInput: no such record or row, or no sample that can be read.
    """
    from hmcbench.apply.predict_files import list_files
    from hmcbench.apply.predict_new import frame_of, predict_new
    from hmcbench.execute.resources import choose_device
    from hmcbench.records.weights import find_record, load_trained, spec_of, with_model
    from hmcbench.report.results import pandas

    library = pandas()
    registry = default_registry()
    record = with_model(find_record(_record_path(Path(runs), model), first=True))
    spec = spec_of(record, registry)
    trained = load_trained(record.path, choose_device(device, spec.accelerated), registry)
    given = hasattr(samples, "to_csv")
    with TemporaryDirectory(prefix="hmcbench-") as folder:
        if given:
            samples = _table_file(samples, Path(folder))
        paths = [samples] if isinstance(samples, (str, Path)) else list(samples)
        if not all(isinstance(path, (str, Path)) for path in paths):
            raise BadInput("samples are no paths", allowed="a path, several, or a DataFrame")
        files, _ = list_files([Path(path) for path in paths])
        blocks = list(predict_new(trained, registry, files))
    frames = [frame_of(block, trained.task) for block in blocks if block.paths]
    if not frames:
        reasons = [f"{p.where}: {p.what}" for block in blocks for p in block.problems]
        raise BadInput("none of the files could be read" + (f" ({reasons[0]})" if reasons else ""))
    whole = library.concat(frames, ignore_index=True)
    return whole.drop(columns="path") if given else whole


# --------------------------------------------------------------------------- the plan of a run


def make_plan(
    suite: str | Path = "",
    *,
    table: str = "",
    images: str | Path = "",
    columns: Mapping[str, str] | None = None,
    models: Sequence[str] = (),
    plugins: Sequence[str] = (),
    data: Mapping[str, str | Path] | None = None,
    datasets: Sequence[str] = (),
    settings: Mapping[str, Value] | None = None,
    dataset_params: Mapping[str, Value] | None = None,
    init_from: Path | None = None,
    shown: Sequence[str] = (),
    **choices: Any,
) -> Plan:
    """Read the suite and the data, and pair them with the models; trains nothing.

    Args:
        table, images, columns: data of one's own, for which a suite is made; ``columns`` are parameters of
            the dataset ``table``.
        models: as in :func:`run`, without objects; ``mine.py:MyModel`` names a file.
        dataset_params: how every dataset is read, where it has such parameters (``skip_bad``).
        init_from: a record whose trained model cells start from.
        shown: ids of the leaderboard's columns; empty for the suite's.
        choices: further fields of :class:`hmcbench.plan.choices.Choices`.

    Raises:
        BadInput, DataProblems: anything wrong with them.
    """
    from hmcbench.plan.cells import make_plan as plan_suite
    from hmcbench.plan.choices import Choices
    from hmcbench.plan.own_data import reference_of, suite_text
    from hmcbench.plan.suite import load_suite, parse_suite

    named = {"suite": str(suite or ""), "table": str(table or ""), "images": str(images or "")}
    given = [name for name, value in named.items() if value]
    if len(given) != 1:
        what = f"{' and '.join(given)} together" if given else "no data are named"
        raise BadInput(what, allowed="one of suite, table, images")
    if columns and not table:
        raise BadInput(f"{next(iter(columns))} without table", allowed="columns of a table")
    chosen = Choices(
        models=tuple(load_named(plugins, models)),
        datasets=tuple(datasets),
        data={name: str(path) for name, path in (data or {}).items()},
        settings={name: str(value) for name, value in (settings or {}).items()},
        dataset_params=dict(dataset_params or {}),
        columns=tuple(shown),
        free_protocol=init_from is None,  # a fold would be tested on what another was trained on
        **choices,
    )
    registry = default_registry()
    if suite:
        parsed = load_suite(registry, str(suite))
    else:
        kind, path = ("table", table) if table else ("images", str(images))
        text = suite_text(registry, reference_of(kind, path=path, **(columns or {})), **chosen.dataset_params)
        parsed = parse_suite(text, "the suite of these data")
    plan = plan_suite(parsed, registry, chosen)
    if init_from is None:
        return plan
    from hmcbench.execute.warm_start import start_from

    return replace(plan, cells=start_from(init_from, plan.cells, registry))


def table_columns(
    lists: Mapping[str, Names], hierarchy: str | Path = "", kinds: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Columns of a table as parameters of the dataset ``table``; what is empty is left out."""
    from hmcbench.plan.own_data import joined

    names = {name: [value] if isinstance(value, str) else list(value) for name, value in lists.items()}
    params = {name: joined(value) for name, value in names.items() if any(value)}
    params["hierarchy"] = str(hierarchy)
    params["kinds"] = ";".join(f"{joined([name])}:{kind}" for name, kind in (kinds or {}).items())
    return {name: text for name, text in params.items() if text}


def _check_options(device: str, rerun: str, numbers: Mapping[str, float]) -> None:
    """Raise BadInput for values that the command line refuses too."""
    from hmcbench.execute.resources import check_device
    from hmcbench.execute.runner import Rerun

    check_device(device)
    if rerun not in (allowed := get_args(Rerun)):
        raise unknown("rerun", rerun, allowed)
    for name, value in numbers.items():
        if not value >= 0:
            raise BadInput(f"{name}={value}", allowed="0 or more")


def _table_file(table: Any, out: Path) -> str:
    """The path of a table; a DataFrame is written to a file whose name is its digest."""
    if table is None or isinstance(table, (str, Path)):
        return str(table or "")
    if not hasattr(table, "to_csv"):
        raise BadInput(f"table is a {type(table).__name__}", allowed="a path or a DataFrame")
    from hmcbench.files import write_atomic

    text = table.to_csv(index=False)
    path = out / "data" / f"table-{hashlib.sha256(text.encode()).hexdigest()[:12]}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return str(path)


@contextmanager
def named_objects(models: Sequence[Any], in_process: bool = False) -> Iterator[list[str]]:
    """Objects as models of the registry, here and in processes that start meanwhile; yields their names.

    Raises:
        BadInput: an object without ``fit`` and ``predict``, or that cannot be pickled.
    """
    if not models:
        yield []
        return
    before, names = os.environ.get(SWITCH), objects.names_of(models)
    by_name = dict(zip(names, models, strict=True))
    with TemporaryDirectory(prefix="hmcbench-") as folder:
        path = Path(folder) / objects.FILE
        if not in_process:
            path.write_bytes(objects.pickled(by_name))
        objects.HERE[str(path)] = by_name
        try:
            load_named([str(path)])
            yield names
        finally:
            del objects.HERE[str(path)]
            os.environ.pop(SWITCH)
            if before is not None:
                os.environ[SWITCH] = before
            default_registry.cache_clear()


# --------------------------------------------------------------------------- progress


def _bar(cells: Sequence[Cell], shown: bool | None) -> AbstractContextManager[Any]:
    """An observer of :func:`hmcbench.execute.runner.execute` that moves a bar, or does nothing."""
    notebook = "ipykernel" in sys.modules
    if not (shown or (shown is None and (notebook or sys.stderr.isatty()))):
        return nullcontext(lambda _event, _record: None)
    return _moving_bar(len(cells))


@contextmanager
def _moving_bar(cells: int) -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("cells", total=cells)

        def observe(event: Event, _record: Record | None) -> None:
            if event.kind == "started":
                cell = event.job.cell
                progress.update(bar, description=f"{cell.dataset} x {cell.label}")
            if event.kind in ("ended", "elsewhere"):
                progress.advance(bar)

        yield observe


# --------------------------------------------------------------------------- labels and scores


def _hierarchy(source: Any) -> Hierarchy:
    from hmcbench.hierarchy.hierarchy import Hierarchy

    if isinstance(source, Hierarchy):
        return source
    if isinstance(source, (str, Path)):
        return Hierarchy.from_csv(Path(source))
    try:
        edges = [(str(parent or ""), str(child)) for parent, child in source]
    except (TypeError, ValueError):
        raise BadInput(
            f"hierarchy is a {type(source).__name__}",
            allowed='a Hierarchy, pairs (parent, child) with "" above the top level, or a CSV file',
        ) from None
    return Hierarchy.from_edges(edges)


def _sets(labels: Any, hierarchy: Hierarchy, what: str) -> np.ndarray:
    """Ancestor-closed boolean (N, C)."""
    import numpy as np

    values = _by_class(labels, hierarchy, what)
    if values is None:
        names = [label.split("|") if isinstance(label, str) else list(label) for label in labels]
        return np.asarray(hierarchy.encode([[n for n in row if n] for row in names]).toarray(), dtype=bool)
    if not np.isin(values, (0, 1)).all():
        raise BadInput(f"{what} has values other than 0 and 1", allowed="label sets")
    return np.asarray(hierarchy.close(values.astype(bool)), dtype=bool)


def _scores_or_sets(predictions: Any, hierarchy: Hierarchy) -> Any:
    """float64 (N, C) scores, or closed sets as CSR."""
    import numpy as np
    from scipy import sparse

    values = _by_class(predictions, hierarchy, "predictions")
    if values is not None and values.dtype.kind == "f":
        if not ((values >= 0) & (values <= 1)).all():  # NaN is neither
            raise BadInput("a predicted score is outside 0 to 1, or NaN", allowed="scores from 0 to 1")
        return np.asarray(values, dtype=np.float64)
    return sparse.csr_array(_sets(predictions, hierarchy, "predictions"))


def _by_class(values: Any, hierarchy: Hierarchy, what: str) -> np.ndarray | None:
    """The columns of an array or DataFrame in the order of the classes; None for lists of names."""
    import numpy as np

    if hasattr(values, "columns"):
        unknown = [str(name) for name in values.columns if name not in hierarchy.classes]
        absent = [name for name in hierarchy.classes if name not in set(values.columns)]
        if unknown or absent:
            text = f"{unknown[0]!r} is no class" if unknown else f"there is no column {absent[0]!r}"
            raise BadInput(f"{what}: {text}", allowed="a column for each class of the hierarchy")
        return np.asarray(values[list(hierarchy.classes)].to_numpy())
    if isinstance(values, np.ndarray) and values.ndim == 2:
        if values.shape[1] != hierarchy.n:
            raise BadInput(f"{what}: {values.shape[1]} columns", allowed=f"{hierarchy.n}, one for each class")
        return values
    return None


def _record_path(runs: Path, model: str) -> Path:
    """The place of a row: of ``model``, or of the first row with a kept model."""
    from hmcbench.records.record import is_record
    from hmcbench.records.weights import MODEL_FOLDER, with_model

    if is_record(runs) or (not runs.exists() and runs.parent.exists()):
        return runs  # find_record says which rows there are
    results = load(runs)
    if len(results.folders) > 1:
        names = ", ".join(folder.name for folder in results.folders)
        raise BadInput(f"{runs} holds {len(results.folders)} suites", allowed=f"one of {names}")
    by_key = {record.data["key"]: record for record in results.records}
    rows = [row for board in results for row in board.rows if not model or row.model == model]
    for record in (by_key[key] for row in rows for key in row.keys if key in by_key):
        if (record.path / MODEL_FOLDER).is_dir():
            return record.path
        if model:
            with_model(record)
    if model and not rows:
        return results.folders[0] / model  # find_record says which rows there are
    raise BadInput(f"no row {model} of {runs} keeps a model".replace("  ", " "))
