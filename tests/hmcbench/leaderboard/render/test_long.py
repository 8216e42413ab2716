"""The long table: every value of every record, and nothing else."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.leaderboard.render.long import COLUMNS, COST, to_long_csv, write_long_csv
from hmcbench.metrics.rules.scoring import find_rules
from hmcbench.records.record import Record, read_all
from hmcbench.records.rescore import rescore
from hmcbench.registry.registry import default_registry

Fabricate = Callable[..., Record]


def table(text: str) -> list[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(text))
    assert reader.fieldnames == list(COLUMNS)
    return list(reader)


def test_every_value_of_a_record_has_a_line(fabricate: Fabricate) -> None:
    record = fabricate("=a", 0.8, seed=2, fold=1)
    rescore(record.path, rules=find_rules(default_registry(), ["map"]))
    (record,) = read_all(record.path)
    lines = table(to_long_csv([record]))
    plain = {
        (r["side"], r["metric"]): float(r["value"]) for r in lines if not r["rule"] and r["side"] != COST
    }
    expected = {(s, m): v for s, values in record.data["metrics"].items() for m, v in values.items()}
    assert plain == expected
    ruled = {(r["side"], r["metric"]): float(r["value"]) for r in lines if r["rule"] == "map"}
    block = record.part("rules")["map"]["metrics"]
    assert ruled == {(s, m): v for s, values in block.items() for m, v in values.items()}
    costs = {r["metric"]: float(r["value"]) for r in lines if r["side"] == COST}
    assert costs["fit_s"] == 12.0
    assert costs["peak_private_mb"] == 120.0
    assert {(r["fold"], r["seed"], r["model"], r["key"]) for r in lines} == {("1", "2", "'=a", record.key)}
    assert len(lines) == len(plain) + len(ruled) + len(costs)


def test_a_failed_record_has_one_line(fabricate: Fabricate) -> None:
    (line,) = table(to_long_csv([fabricate("a", status="failed", cause="crash")]))
    assert (line["status"], line["cause"], line["side"], line["value"]) == ("failed", "crash", "", "")


def test_the_command(cli: Callable[..., Any], fabricate: Fabricate, tmp_path: Path) -> None:
    fabricate("a", 0.8)
    fabricate("b", status="failed", cause="crash")
    ended = cli("leaderboard", tmp_path / "runs", "--format", "long.csv")
    lines = table(ended.out)
    assert {line["model"] for line in lines} == {"a", "b"}
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra tables")
    ended = cli("leaderboard", tmp_path / "runs", "--format", "parquet", "--output", tmp_path / "all.parquet")
    assert ended.status == 0, ended.err
    stored = parquet.read_table(tmp_path / "all.parquet").to_pylist()
    assert [str(row["key"]) for row in stored] == [line["key"] for line in lines]
    values = [None if line["value"] == "" else float(line["value"]) for line in lines]
    assert [row["value"] for row in stored] == values
    ended = cli("leaderboard", tmp_path / "runs", "--format", "parquet")
    assert ended.status == 2
    assert "--output FILE.parquet" in ended.err


def test_the_file_is_the_text(fabricate: Fabricate, tmp_path: Path) -> None:
    records = [fabricate("a", 0.8), fabricate("ü", 0.7)]
    write_long_csv(iter(records), tmp_path / "long.csv")
    assert (tmp_path / "long.csv").read_text(encoding="utf-8") == to_long_csv(records)


def test_a_metric_without_a_value_has_a_line_without_one(fabricate: Fabricate) -> None:
    (line,) = table(
        to_long_csv([fabricate("a", metrics={"test": {"hf1_samples": None}}, timing=None, memory=None)])
    )
    assert (line["side"], line["metric"], line["value"]) == ("test", "hf1_samples", "")
