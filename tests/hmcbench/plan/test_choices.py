"""What the options of ``hmcbench run`` stand for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hmcbench.errors import BadInput
from hmcbench.plan.choices import Choices, check_settings, data_of, selected, settings_of
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry

REGISTRY = default_registry()
MODELS = ("prior", "random", "random[spread=2]")


def test_patterns_select_in_the_order_in_which_they_are_typed() -> None:
    assert selected("model", MODELS, (), REGISTRY) == list(MODELS)
    assert selected("model", MODELS, ("r*", "prior", "random"), REGISTRY) == [*MODELS[1:], "prior"]
    assert selected("model", MODELS, ("random[spread=2]",), REGISTRY) == ["random[spread=2]"]


def test_the_name_of_a_model_stands_for_its_entries_with_their_parameters() -> None:
    entries = (
        "random[spread=2]",
        "timm:a[x=1]",
        "timm:a",
        "forest",
        "forest[features=grey_histogram]",
        "prior",
    )
    labels = {"random[spread=2]": "Noise", "forest": "prior"}

    def chosen(*patterns: str) -> list[str]:
        return selected("model", entries, patterns, REGISTRY, labels)

    assert chosen("random") == ["random[spread=2]"]
    assert chosen("Noise") == chosen("N*") == ["random[spread=2]"]
    assert chosen("timm:a") == chosen("timm") == ["timm:a[x=1]", "timm:a"]
    assert chosen("forest") == ["forest", "forest[features=grey_histogram]"]
    assert chosen("forest[]") == ["forest"]
    assert chosen("prior") == ["forest"]  # a label comes first
    assert chosen("random[]") == ["random[]"]  # the suite has none without parameters
    assert chosen("oracle") == ["oracle"]


def test_the_name_of_a_dataset_stands_for_the_reference_without_options_first() -> None:
    entries = ("toy-tree", "toy-tree[noise=1]", "toy-dag[noise=1]")
    assert selected("dataset", entries, ("toy-tree",), REGISTRY) == ["toy-tree"]
    assert selected("dataset", entries, ("toy-dag",), REGISTRY) == ["toy-dag[noise=1]"]


def test_a_model_outside_the_suite_may_be_added() -> None:
    assert selected("model", MODELS, ("oracle",), REGISTRY) == ["oracle"]
    with pytest.raises(BadInput, match="unknown model of this suite 'x"):
        selected("model", MODELS, ("x*",), REGISTRY)
    with pytest.raises(BadInput, match="did you mean 'prior'"):
        selected("model", MODELS, ("priro",), REGISTRY)
    pattern_in_a_value = "procedural:forest[looks=*:dimples]"
    assert selected("model", MODELS, (pattern_in_a_value,), REGISTRY) == [pattern_in_a_value]


def test_the_name_of_a_suite_stands_for_its_only_dataset() -> None:
    suite = replace(load_suite(REGISTRY, "smoke"), name="mine", datasets=("toy-tree[depth=2]",))
    assert data_of(suite, {"mine": "a", "other": "b"}) == {"toy-tree": "a", "other": "b"}
    two = replace(suite, datasets=("toy-tree", "toy-dag"))
    assert data_of(two, {"mine": "a"}) == {"mine": "a"}


def test_settings_belong_to_a_reference_or_to_all_of_its_name() -> None:
    choices = Choices(settings={"random.seed": "1", "random[spread=2].seed": "2", "prior.x": "3"})
    assert settings_of(choices, "random") == {"seed": "1"}
    assert settings_of(choices, "random[spread=2]") == {"seed": "2"}
    assert settings_of(choices, "oracle") == {}


@pytest.mark.parametrize(
    ("choices", "says"),
    [
        (Choices(data={"toy-tre": "p"}), "did you mean 'toy-tree'"),
        (Choices(settings={"seed": "1"}), "model.param=value"),
        (Choices(settings={"priro.seed": "1"}), "did you mean 'prior'"),
    ],
)
def test_names_outside_the_plan_are_errors(choices: Choices, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        check_settings(choices, MODELS, ["toy-tree"], REGISTRY)


def test_names_in_the_plan_are_accepted() -> None:
    choices = Choices(data={"toy-tree": "p"}, settings={"toy-tree.n": "1", "random[spread=2].x": "1"})
    check_settings(choices, MODELS, ["toy-tree"], REGISTRY)


def test_commas_divide_names_but_not_what_stands_in_brackets_or_in_a_label() -> None:
    references = ["forest[a=1,b=2]", "knn", "unet"]
    labels = {"unet": "U-Net, resnet10t"}
    chosen = selected("model", references, ["knn, forest[a=1,b=2]", "U-Net, resnet10t"], REGISTRY, labels)
    assert chosen == ["knn", "forest[a=1,b=2]", "unet"]
    with pytest.raises(BadInput):
        selected("model", references, [""], REGISTRY)
