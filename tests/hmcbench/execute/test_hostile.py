"""Thirty hostile and clumsy models in one run: each is named, and the rows of all others are right."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hmcbench.records.record import Record, read_all

FILE = Path(__file__).with_name("hostile.py")
FAIL = {
    "Raises": "several lines",
    "Exits": "SystemExit",
    "Interrupts": "KeyboardInterrupt",
    "EndsAtOnce": "ended",
    "Crashes": "SIGSEGV",
    "KillsItself": "killed by the system",
    "NeverEnds": "ended after its limit of 20 s",
    "Recurses": "RecursionError",
    "Hoards": "MemoryError",
    "NotANumber": "nan",
    "TooFew": "shape (29, 7)",
    "Words": "not Scores",
    "Infinite": "infinite",
}
"""Models that cannot have scores, and a word of what their record says."""

SURVIVE = (
    *("WritesTruth", "WritesViews", "MovesAway", "ClosesFiles", "ClosesEverything", "LeavesThreads"),
    *("LeavesProcesses", "ChangesEnvironment"),
    *("ChangesSeeds", "ChangesNumpy", "ReplacesOutput", "Floods", "Warns", "OpensFiles", "RemovesItsFolder"),
    *("CannotBePickled", "Fine"),
)


def run(folder: Path, models: list[str]) -> tuple[dict[str, Record], str, str]:
    """Label -> record, and what the command wrote."""
    chosen = [word for name in models for word in ("--model", name)]
    command = ["run", "--suite", "smoke", "--dataset", "toy-tree", "--out", str(folder), "--timeout", "20"]
    completed = subprocess.run(
        [sys.executable, "-m", "hmcbench", *command, *chosen], capture_output=True, text=True, check=False
    )
    stored = folder / "smoke" / "records"
    return (
        {record.label: record for record in (read_all(stored) if stored.exists() else [])},
        completed.stdout,
        completed.stderr,
    )


@pytest.mark.slow
def test_each_is_named_and_the_board_is_right_for_all_others(tmp_path: Path) -> None:
    good = ["prior", "random", "knn"]
    alone, _, _ = run(tmp_path / "alone", good)
    hostile = [f"{FILE}:{name}" for name in (*FAIL, *SURVIVE)]
    records, out, err = run(tmp_path / "all", [good[0], *hostile, *good[1:]])
    assert "Traceback" not in err, err
    assert len(records) == len(good) + len(hostile), out
    for name in good:
        assert records[name].data["metrics"] == alone[name].data["metrics"]
    by_class = {record.data["model"]["name"].rpartition(":")[2]: record for record in records.values()}
    for name, says in FAIL.items():
        record = by_class[name]
        assert not record.ok, name
        message = record.data["message"]
        assert says.casefold() in f"{record.data['cause']} {message}".casefold(), (name, message)
        assert len(message) < 2000 and "\n" not in message and "\x1b" not in message, name
    for name in SURVIVE:
        assert by_class[name].ok, (name, by_class[name].data["message"])
        assert by_class[name].data["metrics"] == by_class["Fine"].data["metrics"] or name == "ChangesNumpy", (
            name
        )
    board = json.loads((tmp_path / "all" / "smoke" / "leaderboard.json").read_text("utf-8"))
    assert {row["model"] for row in board["boards"][0]["rows"]} == set(records)


@pytest.mark.parametrize(("name", "works"), [("ΒaseFine", False), ("A" * 300, True)], ids=["Greek", "long"])  # noqa: RUF001
def test_a_name_that_looks_like_another_is_refused_and_a_long_one_has_a_folder(
    tmp_path: Path, name: str, works: bool
) -> None:
    file = tmp_path / "named.py"
    file.write_text(FILE.read_text("utf-8") + f"\n\nclass {name}(Fine):\n    pass\n", "utf-8")
    records, _, err = run(tmp_path / "runs", [f"{file}:{name}"])
    assert bool(records) == works
    assert works or (len(err.splitlines()) == 1 and "is not allowed" in err), err
    assert all(record.ok for record in records.values())
