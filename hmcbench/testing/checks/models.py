"""What a model promises."""

from __future__ import annotations

import json
import pickle
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.execute.cell import seed_everything
from hmcbench.interfaces import Dataset, Run, WarmStart
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.fits import TEST, TRAIN, VALID, applies, clean, data, fit, scored, usual, watched
from hmcbench.testing.checks.standins import SHAPES
from hmcbench.testing.checks.state import generators
from hmcbench.testing.helpers import (
    assert_batch_independent,
    assert_nothing_leaks,
    inputs,
    labelled,
    same_scores,
)

TOLERANCE = 1e-5
LIMIT_S = 60.0


# --------------------------------------------------------------------------- the checks


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

    why = (
        "finite scores in range, one per class, the same whatever else is in the batch: all that metrics read"
    )
    return Check(f"scores, {SHAPES[shape]}", why, run)


def one_test_sample(subject: Subject) -> None:
    scored(subject, clean(subject), usual(subject), [55])


def one_training_sample(subject: Subject) -> None:
    dataset = usual(subject)
    scored(subject, fit(subject, dataset, train=[3], valid=[44]), dataset)


def without_last_class(subject: Subject, *, seen_in_validation: bool) -> None:
    shapes = ("tree", "ragged", "multiple", "dag")
    dataset = data(subject, next((shape for shape in shapes if applies(subject, shape)), "tree"))
    truth = np.asarray(dataset.targets)
    gone = truth[:, -1]
    train = [i for i in TRAIN if not gone[i]]
    valid = [i for i in VALID if seen_in_validation or not gone[i]]
    if seen_in_validation:  # at least one sample of a class that training has never seen
        valid.append(next(i for i in range(len(truth)) if gone[i]))
    scored(subject, fit(subject, dataset, train=train, valid=valid), dataset)


def missing_class(subject: Subject) -> None:
    without_last_class(subject, seen_in_validation=False)


def unseen_label(subject: Subject) -> None:
    without_last_class(subject, seen_in_validation=True)


def determinism(subject: Subject) -> None:
    dataset, again = usual(subject), watched(subject)
    one = clean(subject).predict(inputs(dataset, TEST))
    need(same_scores(one, again.scores), "two fits with one seed give different scores")
    twice = again.model.predict(inputs(dataset, TEST))
    need(same_scores(again.scores, twice), "predicting twice gives different scores")


def seed_respected(subject: Subject) -> None:
    """The global generators may be drawn from and seeded by the run's seed, never set to a constant."""
    first = watched(subject).generators
    fit(subject, usual(subject), seed=1).predict(inputs(usual(subject), TEST))
    second = generators()
    stuck = [name for name in first if first[name] == second.get(name)]
    need(not stuck, f"it sets the generator of {', '.join(stuck)} to a constant")


def of_both_kinds(subject: Subject) -> list[Dataset]:
    """The usual data, and a regression where the model does both: code that fits may differ between them."""
    both = [usual(subject)]
    if both[0].task.kind != "regression" and applies(subject, "regression"):
        both.append(data(subject, "regression"))
    return both


def leaks(subject: Subject) -> None:
    def make() -> Any:
        model = subject.make()
        seed_everything(0)
        return model

    for dataset in of_both_kinds(subject):
        assert_nothing_leaks(make, dataset, sensitive=False)


def peeks(subject: Subject) -> None:
    """The truth of the test rows is turned upside down: nothing may change."""
    for dataset in of_both_kinds(subject):
        peeks_at(subject, dataset)


def peeks_at(subject: Subject, dataset: Dataset) -> None:
    targets = np.array(dataset.targets)
    targets[list(TEST)] = targets[list(TEST)][::-1] if targets.dtype != bool else ~targets[list(TEST)]
    turned = replace(dataset, targets=targets)
    fitted_ = clean(subject) if dataset is usual(subject) else fit(subject, dataset)
    first = fitted_.predict(inputs(dataset, TEST))
    second = fit(subject, turned).predict(inputs(turned, TEST))
    need(same_scores(first, second), "other test targets, other predictions")


def state(subject: Subject) -> None:
    need(not watched(subject).traces, watched(subject).traces)


def inputs_kept(subject: Subject) -> None:
    need(not watched(subject).written, f"it wrote into {watched(subject).written}")


def travels(subject: Subject) -> None:
    spec = subject.spec
    need(pickle.loads(pickle.dumps(spec)).name == spec.name, "the spec does not survive pickling")
    need(isinstance(spec.factory, str), "its factory is an object, not the path 'package.module:name'")
    json.dumps(dict(subject.params))


def in_time(subject: Subject) -> None:
    """Timed only; ``hmcbench plugin check`` also ends what never ends."""
    took = watched(subject).seconds
    need(took <= LIMIT_S, f"fitting 40 samples took {took:.0f} s, more than {LIMIT_S:.0f}")


def kept_weights(subject: Subject) -> None:
    model, dataset = clean(subject), usual(subject)
    able = [hasattr(model, name) for name in ("save", "load")]
    if not any(able):
        raise Skip("it keeps no weights")
    need(all(able), "save and load come together, or not at all")
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        need(any(Path(folder).iterdir()), "save wrote nothing")
        suffixes = (".pkl", ".pickle", ".pt", ".joblib")
        pickles = [p.name for p in Path(folder).rglob("*") if p.suffix in suffixes]
        need(not pickles, f"save wrote {', '.join(pickles)}: loading a pickle executes what is in it")
        other = subject.make()
        other.load(Path(folder), Run(task=dataset.task))
        one, two = (m.predict(inputs(dataset, TEST)) for m in (model, other))
    np.testing.assert_allclose(
        one.values, two.values, atol=TOLERANCE, err_msg="loaded, it predicts otherwise"
    )


def started(subject: Subject) -> None:
    if not subject.spec.expandable:
        raise Skip("it always starts from nothing")
    dataset, model = usual(subject), subject.make()
    need(hasattr(clean(subject), "save"), "it keeps no weights that could be started from")
    with tempfile.TemporaryDirectory() as folder:
        clean(subject).save(Path(folder))
        seed_everything(1)
        run = Run(dataset.task, seed=1, init_from=WarmStart(Path(folder), dataset.task))
        model.fit(labelled(dataset, TRAIN), labelled(dataset, VALID), run)
    after, afresh = (scored(subject, m, dataset) for m in (model, fit(subject, dataset, seed=1)))
    need(not same_scores(after, afresh), "started from a trained model, it predicts as if from nothing")


def fit_many(subject: Subject) -> None:
    if not subject.spec.fit_many:
        raise Skip("it fits one model at a time")
    from hmcbench.interfaces import Fit
    from hmcbench.registry.registry import load_object

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
    one, two = clean(subject).predict(inputs(dataset, TEST)), fits[0].model.predict(inputs(dataset, TEST))
    np.testing.assert_allclose(one.values, two.values, atol=1e-4, err_msg="fitted together, it differs")


CHECKS: list[Check] = [
    Check("travels to a worker", "every cell runs in a process that is handed the spec", travels),
    *(scores_on(shape) for shape in SHAPES),
    Check(
        "a class no training sample has",
        "small folds lack classes, and the cell would be lost",
        missing_class,
    ),
    Check(
        "a label only validation has",
        "rare classes fall to one side, and the cell would be lost",
        unseen_label,
    ),
    Check("one training sample", "a fold or a group may be as small as that", one_training_sample),
    Check(
        "one test sample",
        "latency is measured so; hmcbench predict may get one file",
        one_test_sample,
    ),
    Check("same seed, same scores", "a number that cannot be repeated cannot be trusted", determinism),
    Check("the seed is the run's", "several seeds would be one, and their spread a fiction", seed_respected),
    Check("no leak from test rows", "whatever is fitted on test rows flatters the model", leaks),
    Check("no peeking at test targets", "the leaderboard would rank cheating", peeks),
    Check("data left as they are", "other cells and metrics read the same arrays", inputs_kept),
    Check("no global state left behind", "cells that are fitted together would depend on their order", state),
    Check("ends in time", "a suite waits for its slowest cell, then kills it", in_time),
    Check("weights kept and read", "hmcbench predict and explain work from them", kept_weights),
    Check("starts from a trained model", "run --init-from would train from nothing", started),
    Check("fitted together as alone", "a cell's record must not depend on its company", fit_many),
]
