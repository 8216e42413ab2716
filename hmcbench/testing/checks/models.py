"""Checks of models."""

from __future__ import annotations

import json
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from hmcbench.errors import HmcbenchError
from hmcbench.execute.cell import IDENTITY, plain, seed_everything
from hmcbench.interfaces import Dataset, Fit, Run, WarmStart
from hmcbench.plan.describe import is_deterministic
from hmcbench.registry.registry import load_object
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.fits import TEST, TRAIN, VALID, applies, clean, data, fit, scored, usual, watched
from hmcbench.testing.checks.standins import SHAPES
from hmcbench.testing.checks.state import generators, state_check
from hmcbench.testing.helpers import (
    assert_batch_independent,
    assert_nothing_leaks,
    inputs,
    labelled,
    same_scores,
)

TOLERANCE = 1e-5
LIMIT_S = 60.0


def scores_on(shape: str) -> Check:
    def run(subject: Subject) -> None:
        dataset = data(subject, shape)
        model = clean(subject) if dataset is usual(subject) else fit(subject, dataset)
        scored(subject, model, dataset)
        if not subject.spec.transductive:
            test = replace(
                dataset,
                ids=[dataset.ids[i] for i in TEST],
                views={name: view[TEST.start :] for name, view in dataset.views.items()},
                targets=dataset.targets[list(TEST)],
            )
            assert_batch_independent(model, test, TOLERANCE)

    why = "metrics need finite scores in range, one per class, independent of the batch"
    return Check(f"scores, {SHAPES[shape]}", why, run)


def one_test_sample(subject: Subject) -> None:
    scored(subject, clean(subject), usual(subject), [55])


def one_training_sample(subject: Subject) -> None:
    dataset = usual(subject)
    scored(subject, fit(subject, dataset, train=[3], valid=[44]), dataset)


def without_last_class(subject: Subject, seen_in_validation: bool = False) -> None:
    shapes = ("tree", "ragged", "multiple", "dag")
    dataset = data(subject, next((shape for shape in shapes if applies(subject, shape)), "tree"))
    truth = np.asarray(dataset.targets)
    of_class = truth[:, -1]
    train = [i for i in TRAIN if not of_class[i]]
    valid = [i for i in VALID if seen_in_validation or not of_class[i]]
    if seen_in_validation:  # at least one sample of a class without training samples
        valid.append(next(i for i in range(len(truth)) if of_class[i]))
    scored(subject, fit(subject, dataset, train=train, valid=valid), dataset)


def new_label(subject: Subject) -> None:
    without_last_class(subject, seen_in_validation=True)


def determinism(subject: Subject) -> None:
    dataset, again = usual(subject), watched(subject)
    first = clean(subject).predict(inputs(dataset, TEST))
    need(same_scores(first, again.scores), "two fits with one seed give different scores")
    repeated = again.model.predict(inputs(dataset, TEST))
    need(same_scores(again.scores, repeated), "predicting twice gives different scores")


def deterministic(subject: Subject) -> None:
    declared = subject.spec.deterministic
    absent = [] if isinstance(declared, bool) else [name for name in declared if name not in subject.params]
    need(not absent, f"deterministic names {', '.join(absent)}, which is no parameter")
    if not is_deterministic(subject.spec, subject.params):
        raise Skip("it is not declared deterministic")
    for dataset in of_both_kinds(subject):
        first = clean(subject) if dataset is usual(subject) else fit(subject, dataset)
        scores = [model.predict(inputs(dataset, TEST)) for model in (first, fit(subject, dataset, seed=1))]
        need(same_scores(*scores), "two fits with two seeds give different scores")


def seed_respected(subject: Subject) -> None:
    """Global generators may be used, and seeded by the run's seed, but not by a constant."""
    first = watched(subject).generators
    fit(subject, usual(subject), seed=1).predict(inputs(usual(subject), TEST))
    second = generators()
    constant = [name for name in first if first[name] == second.get(name)]
    need(not constant, f"it seeds the generator of {', '.join(constant)} with a constant")


def of_both_kinds(subject: Subject) -> list[Dataset]:
    """The usual data, and a regression where the model does both, as their code may differ."""
    datasets = [usual(subject)]
    if datasets[0].task.kind != "regression" and applies(subject, "regression"):
        datasets.append(data(subject, "regression"))
    return datasets


def leaks(subject: Subject) -> None:
    def make() -> Any:
        model = subject.make()
        seed_everything(0)
        return model

    for dataset in of_both_kinds(subject):
        assert_nothing_leaks(make, dataset, sensitive=False)


def targets_unused(subject: Subject) -> None:
    """Other targets of the test rows must not change any prediction."""
    for dataset in of_both_kinds(subject):
        targets = np.array(dataset.targets)
        targets[list(TEST)] = targets[list(TEST)][::-1] if targets.dtype != bool else ~targets[list(TEST)]
        changed = replace(dataset, targets=targets)
        model = clean(subject) if dataset is usual(subject) else fit(subject, dataset)
        first = model.predict(inputs(dataset, TEST))
        second = fit(subject, changed).predict(inputs(changed, TEST))
        need(same_scores(first, second), "other test targets, other predictions")


def state(subject: Subject) -> None:
    need(not watched(subject).traces, watched(subject).traces)


def inputs_kept(subject: Subject) -> None:
    need(not watched(subject).written, f"it modified {watched(subject).written}")


def pickles(subject: Subject) -> None:
    spec = subject.spec
    need(pickle.loads(pickle.dumps(spec)).name == spec.name, "the spec does not survive pickling")
    need(isinstance(spec.factory, str), "its factory is an object, not the path 'package.module:name'")
    json.dumps(dict(subject.params))


def in_time(subject: Subject) -> None:
    """The time is only measured; ``hmcbench plugin check`` also stops a check at its time limit."""
    seconds = watched(subject).seconds
    need(seconds <= LIMIT_S, f"fitting 40 samples took {seconds:.0f} s, more than {LIMIT_S:.0f}")


def said(subject: Subject) -> None:
    """A record keeps another fact under the name of one of its own as ``described_NAME``."""
    model = clean(subject)
    if not hasattr(model, "describe"):
        raise Skip("it says nothing of itself")
    facts = model.describe()
    taken = [name for name in facts if name in IDENTITY]
    need(not taken, f"describe() has {', '.join(taken)}, which a record says of every model")
    json.dumps(plain(facts), allow_nan=False)


def kept_weights(subject: Subject) -> None:
    model, dataset = clean(subject), usual(subject)
    methods = [hasattr(model, name) for name in ("save", "load")]
    if not any(methods):
        raise Skip("it keeps no weights")
    need(all(methods), "it has only one of save and load")
    with tempfile.TemporaryDirectory() as folder:
        try:
            model.save(Path(folder))
        except HmcbenchError as error:
            raise Skip(f"it keeps no weights: {str(error).rstrip('.')}") from None
        need(any(Path(folder).iterdir()), "save wrote nothing")
        suffixes = (".pkl", ".pickle", ".pt", ".joblib")
        files = [p.name for p in Path(folder).rglob("*") if p.suffix in suffixes]
        need(not files, f"save wrote {', '.join(files)}: loading a pickle executes its content")
        loaded = subject.make()
        loaded.load(Path(folder), Run(task=dataset.task))
        before, after = (m.predict(inputs(dataset, TEST)).values for m in (model, loaded))
    np.testing.assert_allclose(before, after, atol=TOLERANCE, err_msg="loaded, it has other predictions")


def warm_start(subject: Subject) -> None:
    if not subject.spec.expandable:
        raise Skip("it has no warm start")
    dataset, model = usual(subject), subject.make()
    need(hasattr(clean(subject), "save"), "it keeps no weights for a warm start")
    with tempfile.TemporaryDirectory() as folder:
        clean(subject).save(Path(folder))
        seed_everything(1)
        run = Run(dataset.task, seed=1, init_from=WarmStart(Path(folder), dataset.task))
        model.fit(labelled(dataset, TRAIN), labelled(dataset, VALID), run)
    warm, cold = (scored(subject, m, dataset) for m in (model, fit(subject, dataset, seed=1)))
    need(not same_scores(warm, cold), "after a warm start, its predictions are those without one")


def fit_many(subject: Subject) -> None:
    if not subject.spec.fit_many:
        raise Skip("it fits one model at a time")
    dataset = usual(subject)
    fits = [
        Fit(subject.make(), labelled(dataset, TRAIN), labelled(dataset, VALID), Run(dataset.task, seed=seed))
        for seed in (0, 1)
    ]
    outcomes = load_object(subject.spec.fit_many)(fits)
    need(len(outcomes) == 2, f"fit_many returned {len(outcomes)} entries for 2 fits")
    for error in outcomes:
        if error is not None:
            raise error
    alone, together = (m.predict(inputs(dataset, TEST)).values for m in (clean(subject), fits[0].model))
    np.testing.assert_allclose(alone, together, atol=1e-4, err_msg="fitted together, it differs")


def second_fit(subject: Subject) -> None:
    """``refit`` after ``fit``; without it, a new model fits both partitions, without validation samples."""
    dataset, run = usual(subject), Run(usual(subject).task, refit=True)
    train, valid, both, none = (
        labelled(dataset, rows) for rows in (TRAIN, VALID, [*TRAIN, *VALID], TRAIN[:0])
    )
    scores = []
    for _ in range(2):
        model = subject.make()
        seed_everything(0)
        if hasattr(model, "refit"):
            model.fit(train, valid, run)
            model.refit(both, run)
        else:
            model.fit(both, none, run)
        scores.append(scored(subject, model, dataset))
    need(same_scores(*scores), "two second fits with one seed give different scores")


def sparse_targets(subject: Subject) -> None:
    """Large hierarchies come with sparse targets; ``Labelled.dense_targets`` are what they were."""
    shape = next(
        (shape for shape in ("multiple", "dag", "tree", "ragged") if applies(subject, shape)), "tree"
    )
    dataset = data(subject, shape)
    sparse = replace(dataset, targets=csr_array(np.asarray(dataset.targets)))
    first, second = (fit(subject, d).predict(inputs(d, TEST)) for d in (dataset, sparse))
    need(same_scores(first, second), "sparse targets, other predictions")


def missing_values(subject: Subject) -> None:
    if not subject.spec.missing:
        raise Skip("it takes no missing values: they are filled in before it")
    dataset = usual(subject)
    views = {name: np.array(view) for name, view in dataset.views.items()}
    for view in (view for view in views.values() if view.dtype.kind == "f"):  # not pixels beside a table
        view[::3, ::2] = np.nan
        view[:, 1] = np.nan  # a column without any value
    holes = replace(dataset, views=views)
    scored(subject, fit(subject, holes), holes)


CHECKS: list[Check] = [
    Check("can be sent to a worker", "every cell runs in another process, which gets the spec", pickles),
    *(scores_on(shape) for shape in SHAPES),
    Check("sparse targets", "thousands of classes come as a sparse matrix", sparse_targets),
    Check("missing values", "its spec says that it takes them", missing_values),
    Check(
        "a class without training samples",
        "small folds lack classes",
        without_last_class,
    ),
    Check("a label only validation has", "rare classes may be in one partition only", new_label),
    Check("one training sample", "a fold or a group may be as small", one_training_sample),
    Check("one test sample", "latency is measured with one; hmcbench predict may get one", one_test_sample),
    Check("same seed, same scores", "a number must be repeatable to be trusted", determinism),
    Check("deterministic as declared", "a board would take one training for all of them", deterministic),
    Check("the seed is the run's", "runs with several seeds would be one run", seed_respected),
    Check("no leak from test rows", "a fit on test rows inflates the scores", leaks),
    Check("test targets unused", "the leaderboard would rank cheating", targets_unused),
    Check("inputs unchanged", "other cells and metrics read the same arrays", inputs_kept),
    state_check(state),
    Check("ends in time", "a suite waits for its slowest cell until the time limit", in_time),
    Check("what it says of itself", "a record would have it beside what hmcbench says of the model", said),
    Check("weights kept and read", "hmcbench predict and explain need them", kept_weights),
    Check("warm start", "run --init-from would train from random weights", warm_start),
    Check("second fit", "suites with refit = true fit again on train and validation", second_fit),
    Check("fitted together as alone", "a cell's record must not depend on other cells", fit_many),
]
