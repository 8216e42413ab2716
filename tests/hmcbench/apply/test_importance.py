"""Importance of columns: that of the columns which the targets are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hmcbench.apply import importance
from hmcbench.apply.rebuild import refit
from hmcbench.records.record import Record
from hmcbench.registry.registry import default_registry


@pytest.mark.parametrize("model", ["ridge", "forest"])
def test_permutation_finds_the_planted_columns(record_of: Callable[[str], Record], model: str) -> None:
    result = importance.permutation(refit(record_of(model), default_registry()), repeats=5)
    assert set(result.order()[:2]) == {2, 4}
    assert result.outputs == ("r2",)
    assert result.values[0, 0] == pytest.approx(0, abs=0.05)


@pytest.mark.slow  # shap compiles its masks when first used
def test_shap_values_of_a_linear_model_are_its_terms(record_of: Callable[[str], Record]) -> None:
    pytest.importorskip("shap")
    refitted = refit(record_of("ridge"), default_registry())
    result = importance.shap_values(refitted, samples=10)
    assert result.samples is not None
    assert result.samples.shape == (10, 8, 2)
    base = refitted.predict(refitted.train).mean(axis=0)
    slope = np.polyfit(refitted.test[:10, 4], result.samples[:, 4, 1], 1)[0]
    assert slope == pytest.approx(3, rel=0.1)  # ridge shrinks it a little
    additive = base + result.samples.sum(axis=1) - refitted.predict(refitted.test[:10])
    assert np.ptp(additive, axis=0) == pytest.approx(0, abs=1e-6)  # the same base value for every sample


def test_the_command_prints_and_draws(
    cli: Callable[..., Any], record_of: Callable[[str], Record], tmp_path: Path
) -> None:
    target = tmp_path / "figure.png"
    ended = cli("importance", record_of("ridge").path, "--output", target)
    assert ended.status == 0, ended.err
    assert ended.out.splitlines()[2].startswith(("table:2", "table:4"))
    assert target.read_bytes().startswith(b"\x89PNG")
    assert not list(tmp_path.glob("*.part*"))


@pytest.mark.parametrize(
    ("options", "says"), [(("--output", "x.jpg"), "ends in .png"), (("--method", "magic"), "magic")]
)
def test_bad_options_are_one_line(
    cli: Callable[..., Any], record_of: Callable[[str], Record], options: tuple[str, ...], says: str
) -> None:
    ended = cli("importance", record_of("ridge").path, *options)
    assert ended.status == 2
    assert says in ended.err
    assert ended.err.count("\n") == 1


def test_a_folder_without_records(cli: Callable[..., Any], tmp_path: Path) -> None:
    ended = cli("importance", tmp_path)
    assert ended.status == 2 and "holds no record" in ended.err and ended.err.count("\n") == 1
