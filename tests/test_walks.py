"""The walks of ARCHITECTURE.md are true: a run on a few images passes the listed functions in that order."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import Pipe
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
from PIL import Image

from hmcbench.execute.cell import run_cells
from hmcbench.execute.executors.base import Event, Job
from hmcbench.execute.outcome import record_outcome
from hmcbench.execute.reporter import Reporter
from hmcbench.execute.worker import RESULT
from hmcbench.files import write_atomic
from hmcbench.leaderboard.files import boards_of
from hmcbench.leaderboard.render.markdown import to_markdown
from hmcbench.plan.cells import Cell, make_plan
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import parse_suite
from hmcbench.records.record import HISTORY, record_json
from hmcbench.registry.registry import default_registry

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
WALKS = {
    name: [tuple(line.split()) for line in lines.strip().splitlines()]
    for name, lines in re.findall(r"<!-- walk: (\w+) -->\n```\n(.*?)```", TEXT, re.DOTALL)
}
SUITE = """
[suite]
name = "walk"
version = 1
datasets = ["images"]
primary = "hf1_samples"
[protocol]
kind = "holdout"
test = 0.25
validation = 0.25
[profiles.quick]
models = ["forest[inputs=grey_histogram,n_estimators=5]"]
threads = 1
"""


PACKAGES = {"hmcbench", *(path.name for path in (ROOT / "plugins").iterdir())}


def place(file: str) -> str:
    """The path of a file as ARCHITECTURE.md writes it, also where the package is installed; or nothing."""
    parts = Path(file).parts
    starts = [i for i, part in enumerate(parts) if part in PACKAGES]
    if not starts:
        return ""
    inside = "/".join(parts[starts[-1] :])
    return inside if inside.startswith("hmcbench/") else f"plugins/{inside}"


@contextmanager
def traced(calls: list[tuple[str, str]]) -> Iterator[None]:
    """Add (file, function) of every call of ours meanwhile, in order."""
    places: dict[str, str] = {}

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        code = frame.f_code
        if event == "call":
            if code.co_filename not in places:
                places[code.co_filename] = place(code.co_filename)
            if file := places[code.co_filename]:
                calls.append((file, code.co_qualname))

    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Sequence[tuple[str, str]]:
    """Every call of one cell on 24 images in two folders: planned, run, recorded and shown."""
    folder = tmp_path_factory.mktemp("walk")
    draw = np.random.default_rng(0)
    for i in range(24):
        path = folder / "images" / ("dark", "bright")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 100, (40, 40), dtype=np.uint8) + np.uint8(100 * (i % 2))).save(path)
    passed: list[tuple[str, str]] = []
    registry = default_registry()
    suite = parse_suite(SUITE, "walk.toml")
    with pytest.MonkeyPatch.context() as patch, traced(passed):
        patch.setenv("HMCBENCH_CACHE", str(folder / "cache"))
        plan = make_plan(suite, registry, Choices(data={"images": str(folder / "images")}))
        run(plan.cells[0], folder)
        to_markdown(boards_of(folder))
    return passed


def run(cell: Cell, folder: Path) -> None:
    """What the runner and a worker do with a cell, in this process."""
    part, work, records = folder / "part", folder / "work", folder / "records"
    for path in (part, work, records):
        path.mkdir()
    reader, writer = Pipe(duplex=False)
    with reader, writer:
        ((_, result),) = run_cells([cell], [part], [str(work)], "cpu", [Reporter(writer, part / HISTORY, 0)])
    assert not isinstance(result, Exception), result
    write_atomic(part / RESULT, record_json({"status": "ok", "cause": None, "message": "", **result}))
    record_outcome(Event("ended", Job(cell, part, work)), records, None)


@pytest.mark.parametrize("name", WALKS)
def test_a_walk_passes_its_functions_in_this_order(name: str, calls: Sequence[tuple[str, str]]) -> None:
    position = 0
    for step in WALKS[name]:
        assert step in calls[position:], f"{step} is not called after the step before it"
        position = calls.index(step, position) + 1


def test_there_are_three_walks() -> None:
    assert set(WALKS) == {"image", "scores", "seed"}
