from __future__ import annotations

import pytest

from hmcbench.errors import BadInput
from hmcbench.worker import failure


@pytest.mark.parametrize(
    ("error", "cause", "message"),
    [
        (MemoryError(), "out of memory", "MemoryError"),
        (FloatingPointError("3 of 5 are NaN"), "nan", "FloatingPointError: 3 of 5 are NaN"),
        (ValueError("a\nb"), "error", "ValueError: a b"),
        (BadInput("no such file"), "error", "no such file."),
        (SystemExit(3), "error", "SystemExit: 3"),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), "out of memory", "OutOfMemoryError: CUDA"),
    ],
)
def test_exceptions_become_causes(error: BaseException, cause: str, message: str) -> None:
    assert failure(error) == {"status": "failed", "cause": cause, "message": message}
