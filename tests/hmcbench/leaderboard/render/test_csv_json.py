from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable

from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.csv_json import to_csv, to_json
from hmcbench.records.record import Record

Fabricate = Callable[..., Record]


def lines(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_one_line_per_row_with_full_precision(fabricate: Fabricate) -> None:
    records = [fabricate("a", 0.9), fabricate("b", 0.5), fabricate("c", status="failed", cause="crash")]
    row = {"model": "P", "source": "s", "metrics": {"hf1_samples": 0.9639, "hp_samples": 0.9}, "note": "n"}
    boards = build(records, {"suite": {"name": "smoke"}, "published": [row]})
    rows = lines(to_csv(boards))
    assert [(r["block"], r["rank"], r["model"], r["status"]) for r in rows] == [
        ("measured", "1", "a", "ok"),
        ("measured", "2", "b", "ok"),
        ("measured", "", "c", "failed"),
        ("published", "", "P", ""),
    ]
    assert float(rows[0]["hf1_samples"]) == records[0].data["metrics"]["test"]["hf1_samples"]
    assert rows[0]["hf1_samples_best"] == "True"
    assert rows[0]["fit_s"] == "10.0"
    assert rows[3]["hp_samples"] == "0.9"
    assert {r["dataset_fingerprint"] for r in rows} == {"d" * 64}


def test_costs_name_their_hardware_where_there_are_several(fabricate: Fabricate) -> None:
    records = [fabricate("a"), fabricate("b", hardware={"fingerprint": "hw2", "cpu": "Loom"})]
    rows = lines(to_csv(build(records)))
    assert "fit_s" not in rows[0]
    assert (rows[0]["fit_s (A)"], rows[0]["fit_s (B)"]) == ("10.0", "")
    assert rows[1]["hardware"].startswith("B: Loom")


def test_spreadsheets_run_no_formula(fabricate: Fabricate) -> None:
    record = fabricate("m", model={"label": "=HYPERLINK(1)"}, dataset={"name": "@x"})
    rows = lines(to_csv(build([record])))
    assert rows[0]["model"] == "'=HYPERLINK(1)"
    assert rows[0]["dataset"] == "'@x"


def test_json_holds_the_whole_board(fabricate: Fabricate) -> None:
    data = json.loads(to_json(build([fabricate("a"), fabricate("b", 0.4)])))
    assert data["schema"] == 1
    board = data["boards"][0]
    assert board["title"].startswith("smoke 1: toy, profile quick")
    assert board["rows"][0]["cells"]["hf1_samples"]["best"] is True
    assert board["rows"][0]["keys"] == [fabricate("a").key]
    assert board["columns"][0]["id"] == "hf1_samples"


def test_no_boards() -> None:
    assert json.loads(to_json(Boards())) == {"schema": 1, "boards": [], "across": []}
    assert lines(to_csv([])) == []
