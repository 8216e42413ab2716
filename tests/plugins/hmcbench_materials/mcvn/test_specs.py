"""MCVN's specs."""

from __future__ import annotations

from hmcbench_materials.mcvn.model import create
from hmcbench_materials.mcvn.specs import mcvn_models


def test_the_specs_know_every_keyword() -> None:
    for spec in mcvn_models():
        create(**{name: param.default for name, param in spec.params.items()})
        for values in spec.profiles.values():
            assert set(values) <= set(spec.params)
