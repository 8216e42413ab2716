"""Answers for new samples at a promised risk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hmcbench.apply.back_off import REFER, BackOff
from hmcbench.errors import BadInput
from hmcbench.interfaces import Scores, Task
from hmcbench.metrics.fixtures import selected
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import Record


def five() -> Predictions:
    """The samples of the fixture as a calibration side, and one test sample."""
    e = selected()
    scores, truth = np.concatenate([e.scores, e.scores[:1]]), np.concatenate([e.truth, e.truth[:1]])
    ids, side = [f"s{i}" for i in range(6)], ["calibration"] * 5 + ["test"]
    return Predictions(ids, side, scores.astype(np.float32), e.task, truth)


def test_answers_stop_where_the_promise_ends(fabricate: Callable[..., Record]) -> None:
    """One of five may be wrong at .4: theta is just above .5."""
    record = fabricate("net", predictions=five())
    climb = BackOff.of_record(record, 0.4)
    assert climb.theta == np.nextafter(0.5, 1)
    assert climb.samples == 5
    e = selected()
    answers = climb.answers(Scores(e.scores))
    assert [name for name, _ in answers] == ["a1", "a", "b1", "b1", "b"]
    assert [q for _, q in answers] == [0.875, 0.75, 0.75, 0.625, 0.75]
    strict = BackOff.of_record(record, 1 / 6)  # none may be wrong: above .625
    flat = np.array([[0.5, 0.5, 0.5, 0.5, 0.5, 0.5]])
    assert strict.answers(Scores(flat)) == [(REFER, 1.0)]


def test_what_cannot_be_promised_is_refused(fabricate: Callable[..., Record]) -> None:
    with pytest.raises(BadInput, match=r"no calibration side.*calibration = 0\.1"):
        BackOff.of_record(fabricate("plain"), 0.05)
    record = fabricate("net", predictions=five())
    with pytest.raises(BadInput, match=r"has 5 samples.*0\.167 or more \(0\.05 needs 19\)"):
        BackOff.of_record(record, 0.05)
    several = replace(five(), task=Task("hmc", "multiple", "ragged", five().task.hierarchy))
    with pytest.raises(BadInput, match="have several"):
        BackOff.of_record(fabricate("several", predictions=several), 0.4)
