"""What was planned in a folder and has no record stays on its board, whatever is planned there later."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput
from hmcbench.execute import runner
from hmcbench.leaderboard.files import boards_of
from hmcbench.plan.cells import NotPaired, Plan, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite
from hmcbench.records import suite_file as planned_module
from hmcbench.records.suite_file import read_info, save_info, suite_folders
from hmcbench.registry.registry import default_registry


def plan_of(*models: str, **choices: Any) -> Plan:
    registry = default_registry()
    suite = load_suite(registry, "smoke")
    return make_plan(suite, registry, Choices(datasets=("toy-tree",), models=models, **choices))


def planned(folder: Path) -> list[tuple[str, int]]:
    info = read_info(folder)
    assert info is not None
    return [(cell["model"], cell["seed"]) for cell in info["cells"]]


def test_a_later_plan_of_other_models_leaves_the_missing_cells_on_the_board(tmp_path: Path) -> None:
    (tmp_path / "smoke").mkdir()
    save_info(
        plan_of("random", seeds=2).info(), tmp_path / "smoke", ()
    )  # a run that ended before its first cell
    runner.execute(plan_of("prior"), tmp_path, device="cpu")
    (board,) = boards_of(tmp_path / "smoke")
    assert [(row.model, row.status, row.runs) for row in board.rows] == [
        ("prior", "ok", "seed 0"),
        ("random", "missing", "seeds 0, 1"),
    ]
    runner.execute(plan_of("random"), tmp_path, device="cpu")
    (board,) = boards_of(tmp_path / "smoke")
    assert {row.model: row.status for row in board.rows} == {"prior": "ok", "random": "ok"}


def test_a_plan_speaks_for_the_pairs_that_it_names(tmp_path: Path) -> None:
    save_info(plan_of("random", "prior", seeds=3).info(), tmp_path, ())
    save_info(plan_of("random", seeds=1).info(), tmp_path, ())
    assert sorted(planned(tmp_path)) == [("prior", 0), ("prior", 1), ("prior", 2), ("random", 0)]
    other_data = plan_of("prior", settings={"toy-tree.samples": "70"})  # a board of its own
    save_info(other_data.info(), tmp_path, ())
    assert sorted(planned(tmp_path)) == [*[("prior", 0)] * 2, ("prior", 1), ("prior", 2), ("random", 0)]


def test_two_references_of_one_dataset_kind_keep_their_own_cells(tmp_path: Path) -> None:
    """Without the records of one, the other's board is complete and the first's lists what is missing."""
    registry = default_registry()
    names = ("toy-tree[noise=1.0]", "toy-tree[noise=3.0]")
    suite = replace(load_suite(registry, "smoke"), datasets=names)
    outcome = runner.execute(
        make_plan(suite, registry, Choices(models=("prior", "random"))), tmp_path, device="cpu"
    )
    folders = [r.path for r in outcome.done if r.dataset_reference == "toy-tree[noise=1.0]"]
    assert [path.name.partition("--")[0] for path in folders] == ["toy-tree-noise-1.0"] * 2
    for path in folders:
        shutil.rmtree(path)
    boards = {board.data: board for board in boards_of(tmp_path / "smoke")}
    shown = {name: [(row.model, row.status, row.cause) for row in boards[name].rows] for name in names}
    assert shown == {
        "toy-tree[noise=1.0]": [("prior", "missing", "not run"), ("random", "missing", "not run")],
        "toy-tree[noise=3.0]": [("prior", "ok", ""), ("random", "ok", "")],
    }


def test_pairs_that_cannot_meet_stay_until_they_can(tmp_path: Path) -> None:
    refused = NotPaired("toy-tree", "random", "needs a library")
    save_info(replace(plan_of("prior"), not_applicable=[refused]).info(), tmp_path, ())
    save_info(plan_of("oracle").info(), tmp_path, ())
    info = read_info(tmp_path)
    assert info is not None and [p["model"] for p in info["not_applicable"]] == ["random"]
    save_info(plan_of("random").info(), tmp_path, ())
    info = read_info(tmp_path)
    assert info is not None and info["not_applicable"] == []


def test_columns_of_coherent_decisions_are_read_as_they_are_called_today(tmp_path: Path) -> None:
    columns = ["hf1_micro", "hf1_micro_coherent", "level{k}_accuracy_coherent", "theirs_coherent"]
    suite = {"name": "s", "primary": "hf1_micro_coherent", "columns": columns}
    (tmp_path / "suite.json").write_text(json.dumps({"suite": suite}))
    info = read_info(tmp_path)
    assert info is not None
    assert info["suite"]["primary"] == "hf1_micro"
    assert info["suite"]["columns"] == ["hf1_micro", "level{k}_accuracy", "theirs_coherent"]


def test_another_version_of_the_suite_starts_anew(tmp_path: Path) -> None:
    save_info(plan_of("random").info(), tmp_path, ())
    plan = plan_of("prior")
    save_info(replace(plan, suite=replace(plan.suite, version=plan.suite.version + 1)).info(), tmp_path, ())
    assert planned(tmp_path) == [("prior", 0)]


@pytest.mark.parametrize(
    "damage",
    ["", "[]", "{}", '{"suite": 3}', '{"suite": {"version": 1}, "cells": 3, "not_applicable": [1, {}]}'],
)
def test_a_damaged_file_is_written_anew(tmp_path: Path, damage: str) -> None:
    (tmp_path / "suite.json").write_text(damage, encoding="utf-8")
    save_info(plan_of("prior").info(), tmp_path, ())
    assert json.loads((tmp_path / "suite.json").read_text())["cells"][0]["model"] == "prior"
    assert planned(tmp_path) == [("prior", 0)]


def test_runs_that_start_together_write_all_their_plans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = planned_module.read_info

    def slowly(folder: Path) -> Any:
        info = read(folder)
        time.sleep(0.1)  # long enough for all to read the same
        return info

    monkeypatch.setattr(planned_module, "read_info", slowly)
    plans = [plan_of(model) for model in ("random", "prior", "oracle")]
    with ThreadPoolExecutor(3) as pool:
        for _ in pool.map(lambda plan: runner._save_plan(plan, tmp_path, ()), plans):
            pass
    assert {model for model, _ in planned(tmp_path)} == {"random", "prior", "oracle"}
    assert not list((tmp_path / "locks").iterdir())


def test_a_folder_of_another_suite_is_refused(tmp_path: Path) -> None:
    """On a file system that ignores case, ``Smoke`` finds the folder of ``smoke``."""
    plan = plan_of("prior")
    info = plan.info()
    (tmp_path / "smoke").mkdir()
    save_info({**info, "suite": {**info["suite"], "name": "Smoke"}}, tmp_path / "smoke", ())
    with pytest.raises(BadInput, match=r"holds the suite 'Smoke', not 'smoke'.*--out"):
        runner.existing(plan, tmp_path)


def labelled(*models: str, **labels: Any) -> dict[str, Any]:
    """A plan of these models, with labels."""
    cells = [{"key": m, "dataset": "d", "model": m, "profile": "quick", "fold": 0, "seed": 0} for m in models]
    suite = {"name": "s", "version": 1}
    return {"suite": suite, "profile": "quick", "cells": cells, "not_applicable": [], "labels": labels}


ENTRY = {"net": "Net", "net[epochs=7]": "Net"}
"""The labels of a suite: of its entry as written, and as records name its model."""


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # epochs that one command scaled to its data; the next one runs another model, or a table of a paper
        (ENTRY | {"net[epochs=14]": "Net"}, (["forest"], ENTRY), ENTRY | {"net[epochs=14]": "Net"}),
        (ENTRY | {"net[epochs=14]": "Net"}, (["net[epochs=14]"], {}), ENTRY | {"net[epochs=14]": "Net"}),
        # another model under the same name: --set, an edited entry, a model without a label
        (ENTRY | {"net[epochs=3]": "Net"}, (["net[epochs=7]"], ENTRY), ENTRY),
        (ENTRY, (["forest"], {"other": "Net"}), {"other": "Net"}),
        ({"forest[x=1]": "forest"}, (["forest"], {}), {}),
    ],
)
def test_labels_stay_unless_another_model_has_them(
    tmp_path: Path, first: dict[str, str], second: tuple[list[str], dict[str, str]], expected: dict[str, str]
) -> None:
    save_info(labelled("net[epochs=7]", quick=first, paper={"big": "Big"}), tmp_path, ())
    models, labels = second
    save_info(labelled(*models, **({"quick": labels} if labels else {})), tmp_path, ())
    info = read_info(tmp_path)
    assert info is not None
    assert info["labels"] == ({"quick": expected} if expected else {}) | {"paper": {"big": "Big"}}


def test_names_of_rows_stay_on_the_data_that_a_plan_does_not_name(tmp_path: Path) -> None:
    """A label goes to the changed model on its data alone; where it names two models of a board, to none."""
    first = {"large": {"net": "Net", "net[epochs=4]": "net[epochs=4]"}, "small": {"net[epochs=16]": "Net"}}
    second = {"large": {"net[epochs=3]": "Net"}}
    for of_data in (first, second):
        save_info(labelled() | {"row_names": {"quick": of_data}}, tmp_path, ())
    info = read_info(tmp_path)
    assert info is not None
    assert info["labels"] == {"quick": {"net[epochs=3]": "Net", "net[epochs=16]": "Net"}}
    assert info["row_names"]["quick"] == first | {
        "large": {"net": "net", "net[epochs=3]": "Net", "net[epochs=4]": "net[epochs=4]"}
    }
    typed = {"large": {"net[epochs=3]": "net[epochs=3]"}, "small": {"net[epochs=4]": "net[epochs=3]"}}
    save_info(labelled() | {"row_names": {"quick": typed}}, tmp_path, ())
    info = read_info(tmp_path)
    assert info is not None and info["labels"]["quick"]["net[epochs=3]"] == "Net"
    assert "net[epochs=4]" not in info["labels"]["quick"]


@pytest.mark.parametrize(
    "damaged", [3, {"quick": 3}, {"quick": {"large": [1]}}, {"quick": {"large": {"net": 1}}}]
)
def test_damaged_names_of_rows_are_left_out(tmp_path: Path, damaged: Any) -> None:
    (tmp_path / "suite.json").write_text(json.dumps(labelled() | {"row_names": damaged}))
    save_info(labelled() | {"row_names": {"quick": {"large": {"net": "Net"}}}}, tmp_path, ())
    info = read_info(tmp_path)
    assert info is not None and info["labels"] == {"quick": {"net": "Net"}}


def test_what_an_edit_has_damaged_is_left_out(tmp_path: Path) -> None:
    runner.execute(plan_of("prior"), tmp_path, device="cpu")
    path = tmp_path / "smoke" / "suite.json"
    info = json.loads(path.read_text())
    whole = {"key": "f" * 64, "dataset": "toy-tree", "model": "random", "profile": "quick"}
    cells = [whole, {"dataset": "toy-tree"}, {"model": "oracle"}, 3, whole | {"fold": "x"}]
    path.write_text(json.dumps(info | {"cells": cells, "not_applicable": None}))
    (board,) = boards_of(tmp_path / "smoke")
    assert [row.model for row in board.rows] == ["prior", "random"]
    path.write_text(json.dumps(info | {"suite": None}))
    (board,) = boards_of(tmp_path / "smoke")
    assert [row.model for row in board.rows] == ["prior"]


def test_a_folder_of_one_suite_is_not_taken_for_another(tmp_path: Path) -> None:
    runner.execute(plan_of("prior"), tmp_path, device="cpu")
    folder = tmp_path / "smoke"
    assert suite_folders(folder) == suite_folders(folder, "smoke") == [folder]
    with pytest.raises(BadInput, match=r"unknown suite in .*'other'. Allowed: smoke"):
        suite_folders(folder, "other")
    folder = folder.rename(tmp_path / "copy")
    assert suite_folders(folder, "smoke") == suite_folders(folder, "copy") == [folder]
