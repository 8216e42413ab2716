"""Checks of shifts, on rows of the first of their views: pure, nothing at 0, and worse step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hmcbench.data.shifts import shift_choice, shifted_rows
from hmcbench.interfaces import ShiftInputs
from hmcbench.registry.registry import load_object
from hmcbench.testing.checks.base import Check, Skip, Subject, need
from hmcbench.testing.checks.fits import same_numbers
from hmcbench.testing.checks.metrics import examples
from hmcbench.testing.checks.standins import stand_in
from hmcbench.testing.checks.state import state_check, unchanged

ROWS = 24
SLACK = 0.02  # of the damage of the step before, by rounding and clipping


def inputs_of(subject: Subject) -> ShiftInputs:
    """Rows to change, and others that stand for training samples."""

    def make() -> ShiftInputs:
        need(subject.spec.views, "it names no view")
        view = subject.spec.views[0]
        rows = stand_in(subject, (view,), "tree").views[view]
        return ShiftInputs(view, [f"sample-{i}" for i in range(ROWS)], rows[:ROWS], rows[ROWS:])

    inputs: ShiftInputs = subject.keep("inputs", make)
    return inputs


def shifted(subject: Subject, inputs: ShiftInputs, severity: float) -> list[np.ndarray]:
    """The rows under the shift as numbers; raises PluginError for other shapes or types."""
    return numbers(shifted_rows(subject.spec, subject.params, inputs, severity))


def numbers(rows: Any) -> list[np.ndarray]:
    return [np.asarray(row.load() if hasattr(row, "load") else row) for row in rows]


def all_steps(subject: Subject) -> dict[float, list[np.ndarray]]:
    """Severity -> rows, from 0 up; computed once for all checks."""
    steps: dict[float, list[np.ndarray]] = subject.keep(
        "steps",
        lambda: {
            severity: shifted(subject, inputs_of(subject), severity)
            for severity in (0.0, *subject.spec.severities)
        },
    )
    return steps


def rising(subject: Subject) -> None:
    choice = shift_choice(subject.registry, subject.spec.name)
    need(len(choice.severities) >= 2, "it has one severity: a curve needs more")
    need(subject.spec.unit, "it does not say in which unit its severities are")


def shapes(subject: Subject) -> None:
    before = numbers(inputs_of(subject).rows)
    for severity, rows in all_steps(subject).items():
        for old, new in zip(before, rows, strict=True):
            need(
                old.shape == new.shape and old.dtype == new.dtype,
                f"at {severity:g}: {new.dtype} of shape {new.shape} instead of {old.dtype} of {old.shape}",
            )


def identity(subject: Subject) -> None:
    before = numbers(inputs_of(subject).rows)
    need(_equal(before, all_steps(subject)[0.0]), "severity 0 changes its rows")


def worse(subject: Subject) -> None:
    before = numbers(inputs_of(subject).rows)
    damage = {severity: _distance(before, rows) for severity, rows in all_steps(subject).items()}
    values = list(damage.values())
    need(values[-1] > 0, "the largest severity changes nothing")
    for (a, first), (b, second) in zip(list(damage.items())[:-1], list(damage.items())[1:], strict=True):
        need(
            second >= first * (1 - SLACK),
            f"severity {b:g} is nearer to the original ({second:.3g}) than {a:g} ({first:.3g})",
        )


def repeated(subject: Subject) -> None:
    inputs, severity = inputs_of(subject), subject.spec.severities[-1]
    again = shifted(subject, inputs, severity)
    need(_equal(all_steps(subject)[severity], again), "the same rows and seed give another result")


def alone(subject: Subject) -> None:
    inputs, severity = inputs_of(subject), subject.spec.severities[-1]
    whole = all_steps(subject)[severity]
    for order in (list(range(ROWS))[::-1], [5]):
        part = replace(inputs, ids=[inputs.ids[i] for i in order], rows=_taken(inputs.rows, order))
        need(
            _equal([whole[i] for i in order], shifted(subject, part, severity)),
            "a row depends on the rows beside it or on their order",
        )


def inputs_kept(subject: Subject) -> None:
    inputs = inputs_of(subject)
    rows, training = (
        np.array(part) if isinstance(part, np.ndarray) else None for part in (inputs.rows, inputs.training)
    )
    if rows is None:
        raise Skip("its rows are objects")
    shifted(subject, inputs, subject.spec.severities[-1])
    need(same_numbers(rows, inputs.rows), "it modified its input rows")
    need(training is None or same_numbers(training, inputs.training), "it modified the training rows")


def shown(subject: Subject) -> None:
    if ">>>" not in (load_object(subject.spec.factory).__doc__ or ""):
        raise Skip("its docstring has no example")
    examples(subject)


def state(subject: Subject) -> None:
    inputs = inputs_of(subject)
    with unchanged():
        shifted(subject, inputs, subject.spec.severities[-1])


def _taken(rows: Any, order: Sequence[int]) -> Any:
    return rows[order] if isinstance(rows, np.ndarray) else [rows[i] for i in order]


def _equal(expected: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> bool:
    return len(expected) == len(rows) and all(map(same_numbers, expected, rows))


def _distance(before: Sequence[np.ndarray], rows: Sequence[np.ndarray]) -> float:
    """Mean distance of the numbers, in units of their spread; a missing value counts as far away."""
    old, new = (np.stack([row.astype(np.float64) for row in part]) for part in (before, rows))
    known = np.isfinite(old)
    scale = max(float(np.std(old[known])), 1e-12)
    far = np.where(np.isnan(new) & known, 10 * scale, np.abs(np.nan_to_num(new) - np.nan_to_num(old)))
    return float(far.mean()) / scale


CHECKS: list[Check] = [
    Check("severities rise", "a curve over them would not show how a model breaks", rising),
    Check("shapes kept", "the model reads rows like those that it was trained on", shapes),
    Check("severity 0 changes nothing", "the curve begins at the unshifted test samples", identity),
    Check("worse step by step", "a larger severity must stand for more damage", worse),
    Check("the same for the same seed", "models are compared on the same damaged samples", repeated),
    Check("every row alone", "what happens to a sample must not depend on the others", alone),
    Check("inputs unchanged", "the next severity and the next shift read the same rows", inputs_kept),
    Check("the example in its docstring", "readers check a shift by an example", shown),
    state_check(state),
]
