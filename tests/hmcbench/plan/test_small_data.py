"""Few samples: folds for the user's own data, and a note before anything runs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import make_split
from hmcbench.errors import BadInput
from hmcbench.interfaces import Dataset
from hmcbench.plan.cells import Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.small_data import FEW, notes_of, protocol_of
from hmcbench.plan.suite import parse_suite
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_dataset, tiny_suite

ONE = Protocol(kind="holdout", test=0.2)


def notes(dataset: Dataset, protocol: Protocol) -> list[str]:
    return notes_of(
        dataset, protocol, [make_split(dataset, protocol, fold) for fold in range(protocol.splits)]
    )


@pytest.mark.parametrize(
    ("samples", "protocol", "folds"),
    [
        (15, ONE, 5),
        (3, ONE, 3),
        (15, replace(ONE, kind="predefined"), 5),
        (15, replace(ONE, repeats=3), 0),
        (15, Protocol(kind="kfold", folds=4), 0),
        (5 * FEW, ONE, 0),
        (5 * FEW - 10, ONE, 5),
    ],
)
def test_small_data_are_divided_into_folds(samples: int, protocol: Protocol, folds: int) -> None:
    changed, said = protocol_of(tiny_dataset(samples), protocol)
    if folds:
        assert (changed.kind, changed.folds, len(said)) == ("kfold", folds, 1)
        assert f"tested in {folds} folds" in said[0]
    else:
        assert (changed, said) == (protocol, [])


def test_groups_count_once_and_a_test_partition_of_their_own_stays() -> None:
    grouped = replace(tiny_dataset(300), groups=[f"g{i % 20}" for i in range(300)])
    assert protocol_of(grouped, ONE)[0].kind == "kfold"
    own = replace(tiny_dataset(30), split=["train"] * 25 + ["test"] * 5)
    assert protocol_of(own, replace(ONE, kind="predefined"))[0].kind == "predefined"
    assert protocol_of(own, ONE)[0].kind == "kfold"


def test_too_few_for_a_claim() -> None:
    (note,) = notes(tiny_dataset(15), ONE)
    assert note == (
        "too few test samples for a claim: 3; the 95 % interval of a share near one half is 0.13 to 0.87; "
        "--folds 5 tests every sample once"
    )
    (folded,) = notes(tiny_dataset(15), Protocol(kind="kfold"))
    assert folded.startswith("too few test samples for a claim: 15; ") and "--folds" not in folded
    assert notes(tiny_dataset(FEW), Protocol(kind="kfold")) == []
    grouped = replace(tiny_dataset(300), groups=[f"g{i % 20}" for i in range(300)])
    (grouped_note,) = notes(grouped, Protocol(kind="kfold"))
    assert grouped_note.startswith("too few test groups for a claim: 20; ")


def test_too_few_for_a_claim_about_targets_speaks_of_errors() -> None:
    (note,) = notes(tiny_dataset(80, "regression"), ONE)
    assert note == (
        "too few test samples for a claim: 16; the 95 % interval of a mean error reaches 0.49 standard "
        "deviations between samples to either side; --folds 5 tests every sample once"
    )


def test_the_command_line_chooses_the_protocol() -> None:
    def plan(kind: str, **choices: int | bool) -> Plan:
        text = tiny_suite("s", ["prior"]).replace('kind = "holdout"', f'kind = "{kind}"')
        return make_plan(parse_suite(text, "s"), default_registry(), Choices(**choices))  # type: ignore[arg-type]

    def kinds(planned: Plan) -> list[str]:
        return [cell.record["split"]["kind"] for cell in planned.cells]

    assert kinds(plan("holdout", folds=3)) == ["kfold"] * 3 == kinds(plan("predefined", folds=3))
    for kind in ("holdout", "predefined", "kfold"):
        assert kinds(plan(kind, splits=2, free_protocol=True)) == ["holdout"] * 2
    assert kinds(plan("predefined", splits=1, free_protocol=True)) == ["predefined"]
    with pytest.raises(BadInput, match="repeats = 2 of a kfold split"):
        plan("kfold", splits=2)  # the protocol of a paper
    with pytest.raises(BadInput, match="--folds 1: folds = 1"):
        plan("holdout", folds=1)
    with pytest.raises(BadInput, match="--splits 2 and --folds 3"):
        plan("holdout", folds=3, splits=2)
