"""Checks of featurizers: pure functions of rows, in blocks of any size."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hmcbench.data.featurize import fill
from hmcbench.testing.checks.base import Check, Subject, need
from hmcbench.testing.checks.fits import same_numbers
from hmcbench.testing.checks.standins import stand_in
from hmcbench.testing.checks.state import state_check, unchanged

ROWS = 24


def rows(subject: Subject) -> Any:
    """Rows of the view that the featurizer reads."""

    def make() -> Any:
        source = subject.spec.source
        name = fill(source, subject.params).partition("[")[0]
        return stand_in(subject, (source,), "tree").views[name][:ROWS]

    return subject.keep("rows to read", make)


def transformed(subject: Subject) -> np.ndarray:
    """All rows in one block, by a new featurizer; computed once for all checks."""
    result: np.ndarray = subject.keep("all rows", lambda: np.asarray(subject.make().transform(rows(subject))))
    return result


def equal(expected: np.ndarray, result: Any, case: str) -> None:
    result = np.asarray(result)
    need(expected.dtype == result.dtype, f"{case}: {result.dtype} instead of {expected.dtype}")
    need(expected.shape == result.shape, f"{case}: shape {result.shape} instead of {expected.shape}")
    if expected.dtype.kind == "f":
        same = np.allclose(expected, result, rtol=1e-6, atol=1e-9, equal_nan=True)
    else:
        same = np.array_equal(expected, result)
    need(same, f"{case}: other values")


def count(subject: Subject) -> None:
    view = transformed(subject)
    need(view.dtype.kind in "fiub", f"it returns {view.dtype}, not numbers")
    need(len(view) == ROWS, f"{len(view)} rows of {ROWS}")
    equal(view[:1], subject.make().transform(rows(subject)[:1]), "a block of one row")


def order(subject: Subject) -> None:
    source = rows(subject)
    backwards = source[::-1] if isinstance(source, np.ndarray) else list(reversed(source))
    equal(transformed(subject)[::-1], subject.make().transform(backwards), "rows in reverse order")


def stateless(subject: Subject) -> None:
    view, source, featurizer = transformed(subject), rows(subject), subject.make()
    featurizer.transform(source[ROWS // 2 :])  # a fitted state would come from these rows
    equal(view[: ROWS // 2], featurizer.transform(source[: ROWS // 2]), "after other rows")
    equal(view, subject.make().transform(source), "a new object")


def in_threads(subject: Subject) -> None:
    source, featurizer = rows(subject), subject.make()
    blocks = [source[i : i + 6] for i in range(0, ROWS, 6)]
    with ThreadPoolExecutor(4) as pool:
        view = np.concatenate(list(pool.map(featurizer.transform, blocks)))
    equal(transformed(subject), view, "blocks in threads")


def inputs_kept(subject: Subject) -> None:
    source = rows(subject)
    if isinstance(source, np.ndarray):
        before = source.copy()
        subject.make().transform(source)
        need(same_numbers(before, source), "it modified its input rows")


def state(subject: Subject) -> None:
    source = rows(subject)
    with unchanged():
        subject.make().transform(source)


CHECKS: list[Check] = [
    Check("row count", "a view has one row per sample, or models learn from the wrong rows", count),
    Check("row order", "rows in another order get other samples' labels", order),
    Check("stateless", "a state fitted on test rows is a leak; fitted steps belong into models", stateless),
    Check("the same in threads", "several threads compute blocks at the same time", in_threads),
    Check("inputs unchanged", "other views and models read the same rows", inputs_kept),
    state_check(state),
]
