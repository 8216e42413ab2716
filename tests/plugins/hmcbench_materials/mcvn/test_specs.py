"""MCVN's specs."""

from __future__ import annotations

from hmcbench_materials.mcvn.search import create
from hmcbench_materials.mcvn.specs import RELEASED, mcvn_models

from hmcbench.registry.registry import default_registry


def test_the_specs_know_every_keyword() -> None:
    for spec in mcvn_models():
        create(**{name: param.default for name, param in spec.params.items()})
        for values in spec.profiles.values():
            assert set(values) <= set(spec.params)


def test_the_released_recipe_brings_its_parameters_and_has_a_short_name() -> None:
    registry = default_registry()
    spec, params = registry.resolve("models", "mcvn[recipe=released]", "quick")
    assert {name: params[name] for name in RELEASED} == RELEASED
    assert registry.label("models", spec, params, "quick") == "mcvn[recipe=released]"
    _spec, changed = registry.resolve("models", "mcvn[recipe=released,members=4]", "standard")
    assert changed == params | {"members": 4}
