"""MCVN as a model: trained together as alone, no leak, no dependence on the batch, odd data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_materials.mcvn.model import Mcvn
from hmcbench_materials.mcvn.search import TunedMcvn, create, fit_many
from hmcbench_materials.mcvn.specs import PARAMS, mcvn_models

from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, Fit, Run
from hmcbench.testing.helpers import (
    Kind,
    assert_batch_independent,
    assert_nothing_leaks,
    fitted,
    inputs,
    labelled,
    same_scores,
    tiny_dataset,
)


def make(**changes: Any) -> Mcvn | TunedMcvn:
    usual = {name: param.default for name, param in PARAMS.items()}
    return create(**usual | {"epochs": 6, "members": 2, "batch_size": 16} | changes)


def data(kind: Kind = "regression", samples: int = 48, width: int = 8, **changes: Any) -> Dataset:
    """A tiny dataset whose composition images are made of its table."""
    plain = tiny_dataset(samples, kind, **changes)
    table = np.asarray(plain.views["table"], dtype=float)[:, :width].copy()
    images = (table @ np.random.default_rng(5).random((table.shape[1], 504))).reshape(-1, 24, 21)
    return replace(plain, views={"table": table, "composition_image": images})


@pytest.mark.parametrize("kind", ["regression", "tree", "ragged", "multiple"])
@pytest.mark.parametrize("attention", ["sample", "train"])
def test_predictions_have_the_form_of_the_task_and_are_of_the_sample_alone(
    kind: Kind, attention: str
) -> None:
    dataset = data(kind)
    scores = assert_batch_independent(fitted(make(attention=attention), dataset), dataset, 1e-6)
    hierarchy = dataset.task.hierarchy
    if hierarchy is None:
        assert scores.values.shape == (48, 2)
        return
    assert scores.values.shape == (48, hierarchy.n)
    assert (scores.stop is not None) == (kind == "ragged")
    if kind != "multiple":
        for k in range(1, hierarchy.depth + 1):
            whole = scores.values[:, hierarchy.level_classes(k)].sum(1)
            whole = whole + (0 if scores.stop is None else scores.stop[:, k - 1])
            np.testing.assert_allclose(whole, 1, atol=1e-5)


def test_the_transductive_form_depends_on_the_batch_and_says_so() -> None:
    plain, transductive = mcvn_models()
    assert (plain.transductive, transductive.transductive) == (False, True)
    assert "attention" not in transductive.params
    dataset = data()
    model = fitted(make(attention="batch"), dataset)
    whole, part = model.predict(inputs(dataset)), model.predict(inputs(dataset, range(5)))
    assert np.abs(whole.values[:5] - part.values).max() > 1e-6


@pytest.mark.parametrize("changes", [{}, {"attention": "train"}, {"convolution": False}, {"keep_best": True}])
def test_nothing_leaks_from_test_rows(changes: dict[str, Any]) -> None:
    assert_nothing_leaks(lambda: make(**changes), data())


@pytest.mark.parametrize("kind", ["regression", "tree"])
def test_it_learns_what_can_be_learned(kind: Kind) -> None:
    dataset = data(kind, samples=120, noise=0.05)
    model = fitted(make(epochs=50), dataset, train=range(80), valid=range(80, 90))
    predicted, truth = (
        model.predict(inputs(dataset, range(90, 120))).values,
        np.asarray(dataset.targets[90:], float),
    )
    explained = 1 - np.square(predicted - truth).sum() / np.square(truth - truth.mean(0)).sum()
    assert explained > 0.8


def test_together_as_alone_whatever_the_fold_seed_rate_and_size() -> None:
    dataset = data(samples=60)
    cases: list[Any] = [
        (range(40), range(40, 48), 0, {}),
        (range(5, 45), range(45, 53), 0, {}),
        (range(40), range(40, 48), 1, {"learning_rate": 3e-3}),
        (range(30), range(40, 48), 1, {}),  # other sizes: another bank
        (range(40), range(40, 48), 2, {"channels": "original"}),
        (range(40), range(40, 48), 2, {"attention": "train"}),
        (range(40), range(40, 48), 3, {"keep_best": True}),
    ]

    def fit(case: Any) -> Fit:
        train, valid, seed, changes = case
        run = Run(task=dataset.task, seed=seed)
        return Fit(make(epochs=15, **changes), labelled(dataset, train), labelled(dataset, valid), run)

    together = [fit(case) for case in cases]
    assert fit_many(together) == [None] * len(cases)
    rows = inputs(dataset, range(50, 60))
    seen = []
    for case, member in zip(cases, together, strict=True):
        alone = fit(case)
        alone.model.fit(alone.train, alone.valid, alone.run)
        seen.append(member.model.predict(rows).values)
        np.testing.assert_allclose(seen[-1], alone.model.predict(rows).values, rtol=0, atol=1e-4)
    assert not np.allclose(seen[0], seen[2], atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("regression", {}), ("ragged", {"attention": "train"}), ("multiple", {"convolution": False})],
)
def test_what_is_saved_predicts_the_same(kind: Kind, changes: dict[str, Any], tmp_path: Path) -> None:
    dataset = data(kind)
    model, again = fitted(make(**changes), dataset), make(**changes)
    model.save(tmp_path)
    again.load(tmp_path, Run(task=dataset.task))
    assert same_scores(model.predict(inputs(dataset)), again.predict(inputs(dataset)))
    assert again.describe() == model.describe()
    other = make(**changes | {"members": 3})
    with pytest.raises(BadInput, match="of other parameters"):
        other.load(tmp_path, Run(task=dataset.task))
    for name, reason in (("model.json", "cannot be read"), ("weights.safetensors", "cannot be read")):
        (tmp_path / name).write_bytes(b"{")
        with pytest.raises(BadInput, match=reason):
            make(**changes).load(tmp_path, Run(task=dataset.task))


def spread(**changes: Any) -> Dataset:
    """Two targets, of which the second follows the first column alone and the first all of them."""
    dataset = data(samples=90)
    table = np.asarray(dataset.views["table"])
    dataset.targets[:, 0], dataset.targets[:, 1] = np.sin(4 * table).sum(1), 50 * table[:, 0]
    return replace(dataset, **changes)


def test_a_search_takes_the_best_candidate_of_every_target_and_trains_it_on_both_sides() -> None:
    dataset = spread()
    model = fitted(make(tuned=True, members=1), dataset, train=range(50), valid=range(50, 70))
    facts = model.describe()
    assert facts["search_candidates"] == 12 and facts["fitted_on"] == "train and validation"
    assert float(str(facts["search_s"])) > 0
    first, second = str(facts["chosen"]).split("; ")
    tried: dict[str, np.ndarray] = {}
    for choice in {text.split(": ")[1] for text in (first, second)}:
        params = {k: float(v) for k, v in (item.split("=") for item in choice.split(", "))}
        params["batch_size"] = int(params["batch_size"])
        alone = make(members=1, **params)
        tried[choice] = (
            fitted(alone, dataset, train=range(50), valid=range(50, 70))
            .predict(inputs(dataset, range(70, 90)))
            .values
        )
    values = model.predict(inputs(dataset, range(70, 90))).values
    for target, text in enumerate((first, second)):
        expected = tried[text.split(": ")[1]][:, target]
        np.testing.assert_allclose(values[:, target], expected, atol=1e-4 * np.ptp(expected))


def test_a_search_chooses_by_the_validation_samples_alone() -> None:
    """The released recipe, whose 12 candidates are learning rates: each target takes its lowest loss."""
    dataset = spread()
    released = {
        "recipe": "released",
        "tuned": True,
        "members": 1,
        "epochs": 4,
        "batch_size": 4,
        "patience": 2,
    }
    model = fitted(make(**released), dataset, train=range(50), valid=range(50, 70))
    assert model.describe()["fitted_on"] == "train"  # early stopping has seen the validation samples
    losses = []
    rates = (1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2)
    for rate in rates:
        alone = fitted(
            make(**released | {"tuned": False, "learning_rate": rate}),
            dataset,
            train=range(50),
            valid=range(50, 70),
        )
        left = alone.predict(inputs(dataset, range(50, 70))).values - dataset.targets[50:70]
        losses.append(np.square(left).sum(0))
    best = np.argmin(losses, axis=0)
    names = dataset.task.targets
    wanted = "; ".join(f"{n}: learning_rate={rates[i]}" for n, i in zip(names, best, strict=True))
    assert model.describe()["chosen"] == wanted


def test_searches_are_trained_with_others_as_alone_and_fail_alone() -> None:
    dataset, gaps = spread(), data()
    gaps.views["table"][3, 1] = np.nan

    def fits() -> list[Fit]:
        sides = [(dataset, range(50), range(50, 70)), (gaps, range(32), range(32, 48))]
        return [
            Fit(make(tuned=tuned, members=1), labelled(some, train), labelled(some, valid), Run(some.task))
            for some, train, valid in sides
            for tuned in (True, False)
        ]

    together = fits()
    outcomes = fit_many(together)
    assert outcomes[:2] == [None, None]
    assert all(isinstance(error, BadInput) for error in outcomes[2:])
    for k, alone in enumerate(fits()[:2]):
        alone.model.fit(alone.train, alone.valid, alone.run)
        rows = inputs(dataset, range(70, 90))
        first, second = (fit.model.predict(rows).values for fit in (alone, together[k]))
        np.testing.assert_allclose(first, second, atol=1e-4 * np.ptp(first))


@pytest.mark.parametrize("kind", ["regression", "tree", "multiple"])
def test_a_search_is_saved_and_does_without_validation_samples(kind: Kind, tmp_path: Path) -> None:
    dataset = data(kind)
    for k, valid in enumerate((range(30, 40), range(0))):
        model, again = (make(tuned=True, members=1, epochs=3) for _ in range(2))
        model = fitted(model, dataset, train=range(30), valid=valid)
        folder = tmp_path / str(k)
        folder.mkdir()
        model.save(folder)
        again.load(folder, Run(task=dataset.task))
        assert same_scores(model.predict(inputs(dataset)), again.predict(inputs(dataset)))
        assert again.describe() == model.describe()
        assert model.describe()["search_candidates"] == (12 if len(valid) else 1)
    (folder / "search.json").write_text("{")
    with pytest.raises(BadInput, match="cannot be read"):
        make(tuned=True, members=1, epochs=3).load(folder, Run(task=dataset.task))


def refitted(model: Any, dataset: Dataset, valid: range) -> np.ndarray:
    """Predictions after a first fit on 50 samples, and a second on the validation samples too."""
    run = Run(dataset.task, refit=True)
    model.fit(labelled(dataset, range(50)), labelled(dataset, valid), run)
    assert model.describe()["fitted_on"] == "train"
    first = model.predict(inputs(dataset)).values
    model.refit(labelled(dataset, [*range(50), *valid]), run)
    values: np.ndarray = model.predict(inputs(dataset)).values
    assert not np.allclose(first, values, atol=1e-4)
    return values


def test_before_a_second_fit_the_validation_samples_are_not_trained_on() -> None:
    dataset = spread()
    values = refitted(make(), dataset, range(50, 70))
    at_once = fitted(make(), dataset, train=range(70), valid=range(0))
    np.testing.assert_array_equal(values, at_once.predict(inputs(dataset)).values)


def test_a_second_fit_ends_each_network_at_the_epoch_that_was_best_for_it() -> None:
    dataset = spread()
    model = make(keep_best=True, epochs=12, members=3)
    values = refitted(model, dataset, range(50, 70))
    ends = model.bank.ends.tolist()  # type: ignore[union-attr]
    assert len(ends) == 6 and len(set(ends)) > 1 and max(ends) <= 12
    bank = Mcvn.prepare(model, labelled(dataset, range(70)), labelled(dataset, range(0)), Run(dataset.task))
    assert bank.ends is not None and bank.ends.tolist() == ends  # of the first fit
    assert np.isfinite(values).all()


def test_a_second_fit_trains_what_a_search_chose() -> None:
    dataset, valid = spread(), range(50, 70)
    model = make(tuned=True, members=1)
    values = refitted(model, dataset, valid)
    chosen = [text.split(": ")[1] for text in str(model.describe()["chosen"]).split("; ")]
    for target, text in enumerate(chosen):
        params: dict[str, Any] = {k: float(v) for k, v in (item.split("=") for item in text.split(", "))}
        alone = make(members=1, **params | {"batch_size": int(params["batch_size"])})
        expected = fitted(alone, dataset, train=range(70), valid=range(0)).predict(inputs(dataset)).values
        close = 1e-4 * np.ptp(expected[:, target])
        np.testing.assert_allclose(values[:, target], expected[:, target], atol=close)


def test_same_seed_same_predictions_and_another_seed_others() -> None:
    dataset = data()
    first, again, other = (fitted(make(), dataset, seed=s).predict(inputs(dataset)) for s in (4, 4, 5))
    assert same_scores(first, again)
    assert not same_scores(first, other)


def test_a_member_that_diverges_or_cannot_be_read_leaves_the_others_alone() -> None:
    dataset, gaps = data(), data()
    gaps.views["table"][3, 1] = np.nan
    fits = [
        Fit(
            make(learning_rate=rate), labelled(some, range(32)), labelled(some, range(32, 48)), Run(some.task)
        )
        for rate, some in ((1e-2, dataset), (1e308, dataset), (1e-2, gaps), (1e-2, dataset))
    ]
    good, diverged, unread, also = fit_many(fits)
    assert good is None
    assert also is None
    assert isinstance(diverged, FloatingPointError)
    assert isinstance(unread, BadInput)
    assert "column 2 of sample s00003" in str(unread)
    seen = [fits[i].model.predict(inputs(dataset)) for i in (0, 3)]
    assert np.isfinite(seen[0].values).all()
    assert same_scores(*seen)


@pytest.mark.parametrize(("samples", "width", "train"), [(30, 7, 20), (30, 1, 20), (6, 8, 1), (6, 8, 2)])
def test_odd_widths_and_one_row(samples: int, width: int, train: int) -> None:
    dataset = data(samples=samples, width=width)
    for changes in ({}, {"convolution": False}, {"attention": "train"}):
        model = fitted(make(**changes), dataset, train=range(train), valid=range(0))
        assert np.isfinite(model.predict(inputs(dataset)).values).all()


def test_constant_columns_and_targets() -> None:
    dataset = data()
    dataset.views["table"][:, 2] = 7.0
    dataset.views["composition_image"][:, 0, :5] = -3.0
    dataset.targets[:, 1] = 42.0
    values = fitted(make(), dataset).predict(inputs(dataset)).values
    assert np.isfinite(values).all()
    assert np.abs(values[:, 1] - 42).max() < 5


def test_targets_with_gaps_are_one_clear_error() -> None:
    dataset = data()
    dataset.targets[2, 1] = np.nan
    with pytest.raises(BadInput, match="the target hardness has missing"):
        fitted(make(), dataset)


@pytest.mark.parametrize("channels", ["image", "original"])
def test_one_channel_reads_one_view(channels: str) -> None:
    dataset = data()
    kept = "composition_image" if channels == "image" else "table"
    only = replace(dataset, views={kept: dataset.views[kept]})
    assert np.isfinite(fitted(make(channels=channels), only).predict(inputs(only)).values).all()


def test_images_of_another_size_are_one_clear_error() -> None:
    dataset = data()
    wrong = replace(dataset, views={**dataset.views, "composition_image": np.zeros((48, 8, 7))})
    with pytest.raises(BadInput, match=r"composition images of \(8, 7\) pixels"):
        fitted(make(), wrong)
