"""The times of the main job: what ``benchmarks/main_job.py`` keeps, and the documents that follow from it."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import main_job
import pytest
from main_job import Measurement, Row

from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_suite

ROOT = Path(__file__).parents[1]
FIVE_MINUTES = 300.0
ROW = Row("forest", 2.26, 8.3, 0.05, 11.9, 7.8, None, 1)
ONE = Measurement(
    processor="AMD EPYC (family 26, model 2)",
    cores=2,
    instruction_sets=["AVX2", "AVX-512"],
    suite="sem-failure",
    version=6,
    hmcbench="0.1.0",
    revision="0123456789ab",
    day="2026-12-02",
    jobs=1,
    held="",
    held_by=[],
    busy_before=0.04,
    seconds=150.4,
    images_s=5.0,
    featurize_s=8.4,
    rows=[ROW, replace(ROW, row="HFFNet-2d", precision="bfloat16", threads=2)],
)
HELD = replace(ONE, held="AVX2", held_by=["ATEN_CPU_CAPABILITY=avx2"], seconds=254.0, day="2026-12-01")


@pytest.fixture(scope="module")
def maker() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "docs" / "make_main_job.py"))


def test_the_documents_are_what_the_maker_writes(maker: dict[str, Any]) -> None:
    pages = maker["texts"]()
    assert {path.name for path in pages} == {"README.md", "fractographs.md"}
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, "python docs/make_main_job.py"


def test_the_command_of_the_readme_is_within_five_minutes() -> None:
    """Two cells at a time, with all instructions of a processor: not every machine holds it otherwise."""
    version = load_suite(default_registry(), main_job.SUITE).version
    known = [m for m in main_job.load() if m.version == version and m.jobs == 2 and not m.held]
    assert known
    assert [(m.processor, m.held, m.jobs, m.seconds) for m in known if m.seconds > FIVE_MINUTES] == []


def test_a_line_for_each_kind_the_newest_version_and_the_slowest_first(maker: dict[str, Any]) -> None:
    two, former = replace(ONE, jobs=2, seconds=92.5, busy_before=0.8), replace(ONE, version=5, seconds=900.0)
    block = maker["block"]([former, HELD, ONE, two])
    lines = [line for line in block.splitlines() if line.startswith("| AMD")]
    shown = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    name, sets = "AMD EPYC (family 26, model 2), 2 cores", "AVX2, AVX-512"
    beside = "1 min 32 s (other programs kept 0.8 cores busy before)"
    assert shown == [
        [f"{name}, held to AVX2", sets, "6", "4 min 14 s", "not timed", "2026-12-01"],
        [name, sets, "6", "2 min 30 s", beside, "2026-12-02"],
        [name, sets, "5", "15 min 0 s", "not timed", "2026-12-02"],
    ]
    assert "*Held to AVX2*: by `ATEN_CPU_CAPABILITY=avx2`." in block


def test_the_rows_are_those_of_the_latest_one_cell_after_another(maker: dict[str, Any]) -> None:
    other_row = replace(ROW, row="of two at a time")
    block = maker["block"]([HELD, ONE, replace(ONE, jobs=2, rows=[other_row])])
    assert "Of 2 min 30 s," in block.replace("\n", " ")
    assert "of two at a time" not in block
    (line,) = (line for line in block.splitlines() if line.startswith("| HFFNet-2d"))
    shown = [cell.strip() for cell in line.split("|")[1:-1]]
    assert shown == ["HFFNet-2d", "2.3", "8.3", "0.1", "11.9", "7.8", "bfloat16", "2"]


def test_the_readme_names_the_slowest_kind_first_with_both_times(maker: dict[str, Any]) -> None:
    two = [replace(ONE, jobs=2, seconds=92.0), replace(HELD, jobs=2, seconds=175.0)]
    text = maker["sentence"]([ONE, *two, HELD, replace(ONE, version=5, seconds=900.0)])
    assert text.replace("\n", " ") == (
        "From an empty cache, version 6 of the suite took 4 min 14 s one cell after another and 2 min 55 s"
        " with `--jobs 2` on AMD EPYC (family 26, model 2), 2 cores, held to AVX2; 2 min 30 s and 1 min 32 s"
        " on AMD EPYC (family 26, model 2), 2 cores"
        " ([all times and rows](docs/fractographs.md#how-hard-it-is))."
    )
    assert maker["sentence"]([]) == maker["block"]([]) == ""


def test_a_measurement_replaces_the_one_of_its_key_and_is_the_latest(tmp_path: Path) -> None:
    file = tmp_path / "times.json"
    assert main_job.load(file) == []
    newer, again = replace(ONE, seconds=140.0), replace(ONE, jobs=2)
    for measurement in (ONE, HELD, again, replace(ONE, version=7), newer):
        main_job.keep(measurement, file)
    assert main_job.load(file) == [HELD, again, replace(ONE, version=7), newer]


@pytest.mark.slow
def test_it_runs_in_an_empty_folder_and_keeps_what_the_records_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.toml").write_text(tiny_suite("small", ["prior", "random"]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    call = ["--suite", "small.toml", "--file", "times.json", "--jobs", "2"]
    with pytest.raises(SystemExit, match=r"keep 0\.5 cores busy \(at most 0\.3\): end them, or --beside"):
        main_job.main(call, busy=lambda _seconds: 0.5)
    monkeypatch.setattr(main_job, "git_revision", lambda: "0123456789ab")
    main_job.main([*call, "--beside"], busy=lambda _seconds: 0.5)
    assert "kept in times.json" in capsys.readouterr().out
    (kept,) = main_job.load(Path("times.json"))
    assert (kept.suite, kept.jobs, kept.held, kept.busy_before) == ("small", 2, "", 0.5)
    assert kept.revision == "0123456789ab"  # of the checkout before anything was written
    assert [row.row for row in kept.rows] == ["prior", "random"]
    assert sum(row.elapsed_s for row in kept.rows) / 2 < kept.seconds
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.toml", "times.json"]


def test_another_suite_is_kept_in_another_file(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main_job.main(["--suite", "smoke"])
    assert "main-job.json is of the suite sem-failure: --file names one for smoke" in capsys.readouterr().err


@pytest.mark.slow
def test_a_failed_run_is_no_measurement(tmp_path: Path) -> None:
    suite = tmp_path / "failing.toml"
    suite.write_text(tiny_suite("failing", ["no-such-model"]), encoding="utf-8")
    with pytest.raises(SystemExit, match=r"run --suite .* failed \(2\): .*no-such-model"):
        main_job.measure(str(suite), 1, "", 0.0)


def test_the_processor_has_the_instruction_sets_of_its_flags(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("model name\t: X\nflags\t\t: fpu avx avx2 avx512f\n\nflags\t\t: fpu\n", encoding="utf-8")
    assert main_job.instruction_sets(info) == ["AVX2", "AVX-512"]
    assert main_job.instruction_sets(tmp_path / "none") == []


def test_a_hold_is_taken_by_the_libraries_and_sets_networks_to_float32() -> None:
    """numpy warns of a feature that it does not know or the processor does not have."""
    variables = {**os.environ, **main_job.variables_of("AVX2")}
    code = (
        "import scipy.linalg, threadpoolctl as t; print([i.get('architecture') for i in t.threadpool_info()])"
    )
    command = [sys.executable, "-W", "error::ImportWarning", "-c", code]
    told = subprocess.run(command, env=variables, capture_output=True, text=True, check=True)
    assert "SkylakeX" not in told.stdout
    assert "SapphireRapids" not in told.stdout
    assert main_job.settings_of("sem-failure", "AVX2") == [
        f"--set={name}.precision=float32"
        for name in ("hffnet-2d", "hff-cnn-conv-vt", "hff-cnn-vt", "hffcnn", "hffvt", "timm")
    ]
    assert main_job.settings_of("sem-failure", "") == []
    assert main_job.variables_of("") == {}
