from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.publish.publish import publish
from hmcbench.records.record import JSON

ROOT = Path(__file__).parents[3]


@pytest.fixture
def results(fabricate: Callable[..., Any], tmp_path: Path) -> Path:
    for name, accuracy in (("a", 0.9), ("b", 0.6)):
        counts = {"validation": 20, "test": 60}
        fabricate(name, accuracy, sizes=counts, split={"counts": counts})
    publish(tmp_path / "runs", tmp_path / "results")
    return tmp_path / "results"


def forge(results: Path) -> None:
    """One number, in every record."""
    for path in results.glob(f"smoke/records/*/{JSON}"):
        data = json.loads(path.read_text(encoding="utf-8"))
        data["metrics"]["validation"]["exact_match"] = 0.5
        path.write_text(json.dumps(data), encoding="utf-8")


def test_clean(cli: Callable[..., Any], results: Path) -> None:
    ended = cli("verify", results)
    assert ended.status == 0, ended
    assert "smoke: 2 of 2 records recomputed, 0 not checkable here" in ended.out
    assert ended.out.splitlines()[-1].startswith("clean: ")
    assert cli("verify", results / "smoke").status == 0
    assert cli("verify", results, "--suite", "smoke").status == 0


def test_findings(cli: Callable[..., Any], results: Path) -> None:
    forge(results)
    before = {path: path.read_bytes() for path in results.rglob("*") if path.is_file()}
    ended = cli("verify", results)
    assert ended.status == 1 and not ended.err
    assert "differs: toy--a--f0-s0" in ended.out
    assert "validation exact_match: published 0.5, recomputed 0." in ended.out
    assert ended.out.splitlines()[-1].startswith("not clean: ")
    assert {path: path.read_bytes() for path in results.rglob("*") if path.is_file()} == before


def test_json(cli: Callable[..., Any], results: Path) -> None:
    assert json.loads(cli("verify", results, "--json").out)["clean"] is True
    forge(results)
    ended = cli("verify", results, "--json")
    data = json.loads(ended.out)
    assert ended.status == 1 and data["clean"] is False
    findings = [(f["kind"], f["what"]) for f in data["suites"][0]["findings"]]
    changed = ("changed", "is not the file that was published")
    assert findings == [changed] * 2 + [("differs", "validation exact_match")] * 2


def test_findings_alike_are_counted_and_many_are_cut(cli: Callable[..., Any], results: Path) -> None:
    for i in range(30):
        (results / "smoke" / "figures" / f"lost-{i}").mkdir(parents=True)
    path = results / "smoke" / "leaderboard.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    for row in data["boards"][0]["rows"]:
        for i, cell in enumerate(row["cells"].values()):
            cell["low"] = i / 100
            cell["high"] = 1 + i / 100
    path.write_text(json.dumps(data), encoding="utf-8")
    out = cli("verify", results).out
    assert "more; --json prints all" in out
    for path in results.glob("smoke/leaderboard.*"):
        path.unlink()
    assert "pictures without a record (and 29 more like it)" in cli("verify", results).out


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["no-such-folder"], "no folder no-such-folder"),
        (["RESULTS", "--suite", "smok"], "did you mean 'smoke'"),
        (["RESULTS", "--data", "toy"], "NAME=PATH"),
        (["RESULTS", "--data", "tree=x"], "no record is of this dataset"),
        (["RESULTS", "--data", "toy=x"], "unknown dataset"),
        (["RESULTS", "--jsn"], "--json"),
    ],
)
def test_bad_input(cli: Callable[..., Any], results: Path, args: list[str], says: str) -> None:
    ended = cli("verify", *(results if a == "RESULTS" else a for a in args))
    assert ended.status == 2
    assert len(ended.err.strip().splitlines()) == 1 and says in ended.err


def test_an_empty_folder(cli: Callable[..., Any], tmp_path: Path) -> None:
    assert "holds no records" in cli("verify", tmp_path).err


@pytest.mark.slow
def test_what_this_repository_publishes_is_clean(cli: Callable[..., Any]) -> None:
    ended = cli("verify", ROOT / "results")
    assert ended.status == 0, ended.out
    assert "records; their truth was not published: --data nims-steel=PATH" in ended.out


def test_with_the_steels_at_hand_their_numbers_are_checked_too(
    cli: Callable[..., Any], shared: Callable[[str], Path]
) -> None:
    ended = cli(
        "verify", ROOT / "results", "--suite", "nims-steel", "--data", f"nims-steel={shared('nims_fatigue')}"
    )
    assert ended.status == 0, ended.out
    assert "420 of 420 records recomputed, 0 not checkable here" in ended.out
    assert "(420 of 420 records)" in ended.out.splitlines()[-1]
