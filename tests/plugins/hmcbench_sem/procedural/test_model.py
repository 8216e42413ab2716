"""``procedural:MODEL``: equal steps, real validation, parameters of the inner model, errors before a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_sem.procedural import model as module
from hmcbench_sem.procedural.model import ProceduralModel, at_equal_steps
from hmcbench_sem.surfaces.generate import VERSION

from hmcbench.data import borrowed
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset, Inputs, Labelled, ModelSpec, Param, Run, Scores, Task, Value
from hmcbench.plan.describe import origins_of
from hmcbench.registry.registry import default_registry
from hmcbench.testing import checks
from hmcbench.testing.checks.standins import tiny
from hmcbench.testing.helpers import fitted, inputs, same_scores

ALL = {"looks": "*:dimples+cleavage", "drawn": 24}
REGISTRY = default_registry()
NET = {"epochs": 2, "batch_size": 8, "image_size": 32, "precision": "float32"}


def images(kind: str = "tree") -> Dataset:
    return tiny(kind)


class Watching:
    """A model that keeps what it is given; its scores are the frequencies of the classes."""

    def __init__(self) -> None:
        self.fits: list[tuple[Labelled, Labelled]] = []

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        self.fits.append((train, valid))

    def predict(self, inputs: Inputs) -> Scores:
        return Scores(np.repeat(self.fits[-1][0].dense_targets.mean(axis=0)[None], len(inputs), axis=0))


@pytest.fixture
def watching(monkeypatch: pytest.MonkeyPatch) -> list[Watching]:
    """The inner models that are made, in their order: all of them keep what they are given."""
    models: list[Watching] = []

    def make(reference: str, profile: str, task: Task, **further: Any) -> borrowed.ImageModel:
        real = borrowed.image_model(reference, profile, task, **further)
        models.append(Watching())
        return replace(real, model=models[-1])

    monkeypatch.setattr(module, "image_model", make)
    return models


def test_training_gets_procedural_images_and_validation_none(watching: list[Watching]) -> None:
    dataset = images()
    fitted(ProceduralModel(share=0.25, **ALL), dataset, train=range(20), valid=range(20, 30), seed=5)
    ((train, valid),) = watching[0].fits
    assert valid.ids == dataset.ids[20:30]
    assert np.array_equal(valid.targets, dataset.targets[20:30])
    assert len(set(train.ids)) == len(train.ids) == len(train.targets)
    procedural = np.array([name.startswith("procedural-") for name in train.ids])
    assert procedural.tolist() == [False] * 80 + [True] * 27  # four copies of the real ones
    for part in (np.asarray(train.views["texture"]), train.targets):
        assert len(part) == len(train.ids)
        assert all(np.array_equal(part[20 * k : 20 * k + 20], part[:20]) for k in range(4))
    assert np.array_equal(train.targets[:20], dataset.targets[:20])
    known = {tuple(row) for row in np.asarray(dataset.targets[:20])}
    assert {tuple(row) for row in train.targets[procedural]} <= known


def test_groups_go_along_and_what_is_drawn_has_one_of_its_own(watching: list[Watching]) -> None:
    dataset = replace(images(), groups=[f"g{i // 3}" for i in range(60)])
    fitted(ProceduralModel(**ALL), dataset, train=range(6), valid=range(6, 9))
    ((train, _),) = watching[0].fits
    assert train.groups is not None and len(train.groups) == len(train.ids)
    assert list(train.groups[:7]) == ["g0"] * 3 + ["g1"] * 3 + ["g0"]
    assert list(train.groups[-24:]) == [f"procedural-{k + 1:05d}" for k in range(24)]


def test_without_procedural_images_it_is_the_model_itself() -> None:
    dataset = images()
    alone = fitted(ProceduralModel(share=0.0, n_estimators=20), dataset)
    spec, params = REGISTRY.resolve("models", "forest[trees=20]", "quick")
    inner = borrowed.image_model("forest[trees=20]", "quick", dataset.task)
    assert inner.spec.version == spec.version and params["n_estimators"] == 20
    views = inner.inputs(dataset.ids, dataset.views["image"])
    itself = fitted(inner.model, replace(dataset, views={k: np.asarray(v) for k, v in views.views.items()}))
    first = alone.predict(inputs(dataset))
    assert same_scores(first, itself.predict(Inputs(dataset.ids, views.views)))
    assert alone.describe()["procedural_images"] == 0  # type: ignore[attr-defined]
    other = fitted(ProceduralModel(share=0.5, n_estimators=20, **ALL), dataset)
    assert not same_scores(first, other.predict(inputs(dataset)))


def test_the_record_says_what_was_drawn() -> None:
    facts = fitted(ProceduralModel(share=0.5, n_estimators=5, **ALL), images(), train=range(12)).describe()  # type: ignore[attr-defined]
    assert facts["procedural_images"] == 24 and facts["real_images"] == 12 and facts["copies_of_real"] == 2
    assert facts["procedural_size"] == "32 x 32"
    assert set(str(facts["procedural_classes"]).split(", ")) <= set(images().task.hierarchy.classes)  # type: ignore[union-attr]
    assert facts["inner_version"] == REGISTRY.get("models", "forest").version


def test_a_task_without_a_class_that_can_be_drawn_is_one_line() -> None:
    with pytest.raises(BadInput, match=r"none of the classes a, b, a1, .* can be drawn by its name"):
        fitted(ProceduralModel(), images())


@pytest.mark.torch
@pytest.mark.parametrize(("share", "real"), [(0.25, 40), (0.5, 40), (0.75, 17), (0.5, 3)])
def test_a_network_makes_as_many_steps_as_on_real_images_alone(
    share: float, real: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hmcbench.torchkit.engine import Trainer

    dataset, steps, rows = images(), [0, 0], []
    step, begin = Trainer._step, Trainer.__init__

    def counted(self: Trainer, *args: Any) -> Any:
        steps[-1] += 1
        return step(self, *args)

    def seen(self: Trainer, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        rows.append(len(self.train))

    monkeypatch.setattr(Trainer, "_step", counted)
    monkeypatch.setattr(Trainer, "__init__", seen)
    for some in (0.0, share):
        steps.append(0)
        model = ProceduralModel(model="timm:lcnet_050", share=some, **ALL, **NET)
        fitted(model, dataset, train=range(real), valid=range(40, 50))
    assert steps[-1] == steps[-2] > 0
    assert rows[1] > rows[0] == real


@pytest.mark.torch
def test_an_own_epoch_share_of_the_model_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = borrowed.image_model_spec("timm:lcnet_050")
    assert at_equal_steps(spec, {}, 0.25, "quick") == {"epoch_share": 0.25}
    assert at_equal_steps(spec, {"epoch_share": 0.5}, 0.25, "quick") == {"epoch_share": 0.125}


def test_a_model_that_only_counts_passes_makes_fewer() -> None:
    passes = Param(20, passes=True, low=1)
    spec = ModelSpec(
        name="m", version="1", summary="m", factory="m:m", params={"epochs": passes, "n": Param(3)}
    )
    assert at_equal_steps(spec, {"epochs": 12}, 0.25, "quick") == {"epochs": 3}
    assert at_equal_steps(replace(spec, profiles={"quick": {"epochs": 8}}), {}, 0.5, "quick") == {"epochs": 4}
    assert at_equal_steps(spec, {"epochs": 2}, 0.05, "quick") == {"epochs": 1}
    assert at_equal_steps(replace(spec, params={"n": Param(3)}), {}, 0.05, "quick") == {}


def test_a_second_fit_adds_as_large_a_share(watching: list[Watching]) -> None:
    dataset = images()
    model = fitted(ProceduralModel(share=0.5, **ALL), dataset, train=range(12), valid=range(12, 20))
    train = Labelled(dataset.ids[:20], {"image": dataset.views["image"][:20]}, dataset.targets[:20])
    model.refit(train, Run(dataset.task))  # type: ignore[attr-defined]
    ((again, none),) = watching[1].fits
    assert len(none) == 0 and len(none.targets) == 0
    assert len(again) == 2 * 20 + 40
    assert model.describe()["procedural_images"] == 40  # type: ignore[attr-defined]


def test_a_second_fit_makes_as_few_passes_as_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Mapping[str, Value]] = []

    def make(reference: str, profile: str, task: Task, *, params: Mapping[str, Value]) -> Any:
        given.append(dict(params))
        real = borrowed.image_model(reference, profile, task, params={"n_estimators": 5})
        return replace(real, model=Watching())

    monkeypatch.setattr(module, "image_model", make)
    monkeypatch.setattr(module, "at_equal_steps", lambda *_: {"passes": 3})
    dataset = images()
    model = fitted(ProceduralModel(share=0.5, passes=6, **ALL), dataset, train=range(12), valid=range(12, 20))
    train = Labelled(dataset.ids[:20], {"image": dataset.views["image"][:20]}, dataset.targets[:20])
    model.refit(train, Run(dataset.task))  # type: ignore[attr-defined]
    assert given == [{"passes": 3}, {"passes": 3}]


@pytest.mark.torch
def test_a_second_fit_of_a_network_takes_its_epochs_and_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    from hmcbench.torchkit.engine import Trainer

    trainers: list[Trainer] = []
    begin = Trainer.__init__

    def seen(self: Trainer, *args: Any, **kwargs: Any) -> None:
        begin(self, *args, **kwargs)
        trainers.append(self)

    monkeypatch.setattr(Trainer, "__init__", seen)
    dataset = images()
    model = ProceduralModel(model="timm:lcnet_050", share=0.5, **ALL, **NET)
    fitted(model, dataset, train=range(12), valid=range(12, 20))
    train = Labelled(dataset.ids[:20], {"image": dataset.views["image"][:20]}, dataset.targets[:20])
    model.refit(train, Run(dataset.task))
    assert [trainer.samples for trainer in trainers] == [12, 20]
    assert trainers[1].last == model.describe()["epoch_used"]


def test_it_comes_back_from_its_files_and_damage_is_told(tmp_path: Path) -> None:
    dataset = images()
    model = fitted(ProceduralModel(n_estimators=5, **ALL), dataset)
    model.save(tmp_path)  # type: ignore[attr-defined]
    loaded = ProceduralModel(n_estimators=5, **ALL)
    loaded.load(tmp_path, Run(dataset.task))
    assert same_scores(model.predict(inputs(dataset)), loaded.predict(inputs(dataset)))
    assert loaded.describe()["procedural_images"] == model.describe()["procedural_images"]  # type: ignore[attr-defined]
    text = (tmp_path / "model.json").read_text()
    for wrong, says in (
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        (text.replace('"inner_version": "', '"inner_version": "0.'), "was made by version 0..* of forest"),
    ):
        (tmp_path / "model.json").write_text(wrong)
        with pytest.raises(BadInput, match=says):
            ProceduralModel(n_estimators=5, **ALL).load(tmp_path, Run(dataset.task))


def resolve(reference: str) -> tuple[Any, Mapping[str, Value]]:
    return REGISTRY.resolve("models", reference, "quick")


def test_parameters_of_the_model_stand_beside_its_own() -> None:
    spec, params = resolve("procedural:forest[trees=7,share=0.25]")
    assert params["n_estimators"] == 7 and params["share"] == 0.25 and params["model"] == "forest"
    assert REGISTRY.label("models", spec, params, "quick") == "procedural:forest[n_estimators=7,share=0.25]"
    assert set(resolve("procedural")[1]) == {"model", "share", "drawn", "side", "looks"}


@pytest.mark.torch
def test_the_network_of_a_reference_is_no_parameter_beside_it() -> None:
    spec, params = resolve("procedural:timm:lcnet_050[epochs=3]")
    assert "architecture" not in params and params["patience"] == 12  # of its quick profile
    assert spec.params["epochs"].passes and "torch" in spec.requires
    with pytest.raises(BadInput, match="unknown parameter of procedural:timm:lcnet_050 'architecture'"):
        resolve("procedural:timm:lcnet_050[architecture=resnet18]")
    assert resolve("procedural:timm[architecture=resnet18]")[1]["architecture"] == "resnet18"


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("procedural:nothing", "unknown model 'nothing'"),
        ("procedural:procedural:forest", "procedural of procedural:forest"),
        ("procedural:ridge", "ridge does not label whole images"),
        ("procedural:pixel-forest", "pixel-forest does not label whole images"),
        ("procedural:mcvn", "mcvn cannot be trained on images alone: .*'table'.* Allowed: a model of images"),
        (
            "procedural:forest[tree=3]",
            "unknown parameter of procedural:forest 'tree'.*hmcbench show model forest",
        ),
        ("procedural:forest[share=1]", "share='1' cannot be used"),
    ],
)
def test_models_that_cannot_be_wrapped_are_refused_before_a_run(reference: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        resolve(reference)


def test_the_kit_passes_over_what_no_class_can_be_drawn_of() -> None:
    outcomes = checks.check("models", "procedural")
    assert checks.failures(outcomes) == []
    skipped = [outcome.detail for outcome in outcomes if outcome.status == "skipped"]
    assert any("does not apply to a tree, one leaf per sample: none of the classes" in why for why in skipped)
    assert any(outcome.status == "ok" for outcome in outcomes)


def test_the_versions_of_model_and_pictures_are_in_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    spec, params = resolve("procedural:forest")
    assert spec.version.split(".")[0] == str(VERSION)
    data, inner = REGISTRY.get("datasets", "images"), REGISTRY.get("models", "forest")
    assert origins_of(REGISTRY, data, spec, params, [])["forest in procedural"] == (inner.version,)
    monkeypatch.setattr(inner, "version", "later")
    assert origins_of(REGISTRY, data, spec, params, [])["forest in procedural"] == ("later",)
