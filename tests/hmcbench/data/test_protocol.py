"""What a suite may say of its split."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from hmcbench.data.protocol import Protocol
from hmcbench.errors import BadInput


def test_the_number_of_splits_follows_from_the_kind() -> None:
    assert Protocol("kfold", folds=7, repeats=1).splits == 7
    assert Protocol("holdout", folds=7, repeats=3).splits == 3
    assert Protocol("predefined", folds=7).splits == 1


def test_a_record_gives_its_protocol_back() -> None:
    protocol = Protocol("holdout", test=0.2, repeats=3, drop_leaks=True)
    assert Protocol.of_record({**asdict(protocol), "fold": 2, "fingerprint": "f", "notes": []}) == protocol


def test_what_older_records_do_not_have_is_named_only_where_it_is_used() -> None:
    assert set(Protocol().to_json()) == {
        *("kind", "test", "validation", "folds", "repeats", "seed", "drop_leaks"),
    }
    assert Protocol(calibration=0.2).to_json()["calibration"] == 0.2


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "kfolds"}, "did you mean 'kfold'"),
        ({"test": 1.0}, "shares between 0 and 1"),
        ({"test": 0.5, "validation": 0.5}, "leave something to train on"),
        ({"kind": "kfold", "folds": 1}, "at least 2"),
        ({"repeats": 0}, "at least 1"),
        ({"validation": 0.5, "calibration": 0.5}, "leave something to train on"),
        ({"calibration": -0.1}, "leave something to train on"),
        ({"kind": "kfold", "repeats": 2}, "more than 1 for holdout only"),
    ],
)
def test_wrong_values_are_refused_with_what_is_allowed(values: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says) as error:
        Protocol(**values).check("s.toml")
    assert "s.toml" in str(error.value)
