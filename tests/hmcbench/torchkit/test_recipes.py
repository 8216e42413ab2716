"""Recipes: parameters and fields agree, and plugins can name them without torch."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

from hmcbench.interfaces import PROFILES as NAMES
from hmcbench.registry.registry import convert
from hmcbench.registry.validation import problem_of, types_of
from hmcbench.torchkit.recipes import PARAMS, PROFILES, Recipe


def test_every_field_is_a_parameter_of_its_type_after_those_of_the_input() -> None:
    assert list(PARAMS)[:3] == ["image_size", "in_chans", "pretrained"]
    assert list(PARAMS)[3:] == [field.name for field in dataclasses.fields(Recipe)]
    for field in dataclasses.fields(Recipe):
        param, kind = PARAMS[field.name], types_of(Recipe)[field.name]
        assert param.default == field.default and param.help
        assert not problem_of(param.default, kind, field.name)
        assert convert("recipe", field.name, param, str(param.default)) == param.default


def test_profiles_hold_allowed_values() -> None:
    assert tuple(PROFILES) == NAMES
    for profile, values in PROFILES.items():
        for name, value in values.items():
            assert convert(profile, name, PARAMS[name], value) == value


def test_the_paper_profile_is_the_published_recipe() -> None:
    paper = PROFILES["paper"]
    expected = {
        "image_size": 224,
        "batch_size": 16,
        "epochs": 200,
        "optimizer": "sgd",
        "learning_rate": 1e-4,
        "momentum": 0.937,
        "weight_decay": 5e-4,
        "schedule": "cosine",
        "augment": "paper",
        "pretrained": True,
    }
    assert {name: paper[name] for name in expected} == expected


def test_recipes_import_no_torch() -> None:
    code = "import sys, hmcbench.torchkit.recipes; sys.exit(bool({'torch', 'numpy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
