"""What a featurizer promises: a pure function of rows, whatever blocks they come in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from hmcbench.testing.checks.base import Check, Subject, need
from hmcbench.testing.checks.standins import stand_in
from hmcbench.testing.checks.state import unchanged

ROWS = 24


def rows(subject: Subject) -> Any:
    """Rows of the view that it reads."""

    def make() -> Any:
        source = subject.spec.source
        view = stand_in(subject, (source,), "tree").views[_named(subject, source)]
        return view[:ROWS]

    return subject.keep("rows to read", make)


def _named(subject: Subject, source: str) -> str:
    from hmcbench.data.featurize import fill

    return fill(source, subject.params).partition("[")[0]


def transformed(subject: Subject) -> np.ndarray:
    """All rows at once, by one new featurizer, once for all checks."""
    made: np.ndarray = subject.keep("whole", lambda: np.asarray(subject.make().transform(rows(subject))))
    return made


def equal(one: np.ndarray, two: Any, what: str) -> None:
    two = np.asarray(two)
    need(one.dtype == two.dtype, f"{what}: {two.dtype} instead of {one.dtype}")
    need(one.shape == two.shape, f"{what}: shape {two.shape} instead of {one.shape}")
    exact = one.dtype.kind != "f"
    same = np.array_equal(one, two) if exact else np.allclose(one, two, rtol=1e-6, atol=1e-9, equal_nan=True)
    need(same, f"{what}: other values")


def count(subject: Subject) -> None:
    made = transformed(subject)
    need(made.dtype.kind in "fiub", f"it makes {made.dtype}, not numbers")
    need(len(made) == ROWS, f"{len(made)} rows of {ROWS}")
    one = np.asarray(subject.make().transform(rows(subject)[:1]))
    equal(made[:1], one, "a block of one row")


def order(subject: Subject) -> None:
    made, given = transformed(subject), rows(subject)
    backwards = given[::-1] if isinstance(given, np.ndarray) else list(reversed(given))
    equal(made[::-1], subject.make().transform(backwards), "the rows backwards")


def stateless(subject: Subject) -> None:
    made, given = transformed(subject), rows(subject)
    featurizer = subject.make()
    featurizer.transform(given[ROWS // 2 :])  # whatever it remembers, it remembers of these
    equal(made[: ROWS // 2], featurizer.transform(given[: ROWS // 2]), "after other rows")
    equal(made, subject.make().transform(given), "a new object")


def in_threads(subject: Subject) -> None:
    made, given, featurizer = transformed(subject), rows(subject), subject.make()
    blocks = [given[i : i + 6] for i in range(0, ROWS, 6)]
    with ThreadPoolExecutor(4) as pool:
        equal(made, np.concatenate(list(pool.map(featurizer.transform, blocks))), "blocks in threads")


def inputs_kept(subject: Subject) -> None:
    given = rows(subject)
    if isinstance(given, np.ndarray):
        before = given.copy()
        subject.make().transform(given)
        same = np.array_equal(before, given, equal_nan=before.dtype.kind == "f")
        need(same, "it wrote into the rows that it was given")


def state(subject: Subject) -> None:
    given = rows(subject)
    with unchanged():
        subject.make().transform(given)


CHECKS: list[Check] = [
    Check("row count", "a view has one row per sample, or models learn from the wrong rows", count),
    Check("row order", "rows in another order get other samples' labels", order),
    Check("stateless", "what it remembers of test rows leaks; fitted steps belong into models", stateless),
    Check("the same in threads", "blocks are made by several threads at once", in_threads),
    Check("data left as they are", "the rows may be another view's", inputs_kept),
    Check("no global state left behind", "what runs after it in the process would be another thing", state),
]
