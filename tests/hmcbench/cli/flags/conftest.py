"""What the command lines of these tables find in their folder: fixtures by the names in ``given``."""

from __future__ import annotations

import hashlib
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.cli import main
from hmcbench.records.record import read_record
from hmcbench.registry.named import SWITCH
from hmcbench.registry.registry import default_registry

SUITE = """
[suite]
name = "mine"
version = 1
datasets = ["toy-tree"]
primary = "hf1_samples"
[profiles.quick]
models = ["prior"]
threads = 1
[profiles.standard]
models = ["prior", "random"]
threads = 1
"""
APART = """
[suite]
name = "apart"
version = 1
datasets = ["toy-tree"]
primary = "hf1_samples"
[protocol]
test = 0.2
validation = 0.1
calibration = 0.2
train_share = [0.3, 1.0]
[profiles.quick]
models = ["prior", "random"]
threads = 1
"""
TABLE = """
[table]
name = "paper-1"
title = "A table of somebody's"
source = "Somebody (2020), table 1"
suite = "{suite}"
metrics = ["hf1_samples"]
headers = ["F1"]
[protocol]
kind = "holdout"
repeats = 1
[[row]]
label = "first"
model = "prior"
values = [0.5]
[[row]]
label = "second"
model = "prior"
values = [0.6]
"""
STEELS = "NT,QT,TT,C,Si,Mn,P,S,Ni,Cr,Cu,Mo,RR,dA,dB,dC,fatigue,tensile,fracture,hardness"
LEAVES = ("metal/fatigue", "metal/dimples", "oxide/plates")


def typed(*args: object) -> None:
    """Run a command that ends well, for what it leaves."""
    output = StringIO()
    with redirect_stdout(output), pytest.raises(SystemExit) as stop:
        main([str(a) for a in args])
    assert stop.value.code == 0, output.getvalue()


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real runs of toy data, of 36 pictures and of 40 steels: made once, copied by the fixtures below."""
    base = tmp_path_factory.mktemp("once")
    (base / "mine.toml").write_text(SUITE)
    rng = np.random.default_rng(0)
    for leaf in LEAVES:
        (base / "images" / leaf).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (24, 30), dtype=np.uint8)
            Image.fromarray(pixels).save(base / "images" / leaf / f"{i}.png")
    rows = [",".join(f"{v:.3f}" for v in rng.uniform(1, 9, 20)) for _ in range(40)]
    (base / "NIMS-Fatigue.csv").write_text("\n".join([STEELS, *rows]) + "\n")
    out = ("--out", base / "runs", "--quiet")
    typed("run", "--suite", "smoke", *out)
    typed("run", "--suite", base / "mine.toml", "--profile", "standard", *out)
    pictures = ("--data", f"sem-failure={base / 'images'}", "--model", "prior", "--splits", 1)
    typed("run", "--suite", "sem-failure", *pictures, *out)
    steels = ("--data", f"nims-steel={base / 'NIMS-Fatigue.csv'}", "--model", "ridge", "--splits", 1)
    typed("run", "--suite", "nims-steel", *steels, *out)
    return base


@pytest.fixture(scope="session")
def apart_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Toy runs with samples put apart for calibration, on two shares of the training samples."""
    base = tmp_path_factory.mktemp("apart")
    (base / "apart.toml").write_text(APART)
    typed("run", "--suite", base / "apart.toml", "--out", base / "runs", "--quiet")
    return base


@pytest.fixture(scope="session")
def answers_once(once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tasks as they were exported, with answers: the examples that stand in them."""
    base = tmp_path_factory.mktemp("answers")
    shutil.copy(once / "mine.toml", base)
    suite = base / "mine.toml"
    typed("export-task", suite, "--to", base / "one")
    typed("export-task", suite, "--to", base / "two", "--folds", 2)
    pictures = ("--data", f"sem-failure={once / 'images'}", "--splits", 1)
    typed("export-task", "sem-failure", "--to", base / "seen", *pictures)
    for example in sorted(base.rglob("example.csv")):
        shutil.copy(example, example.with_name("predictions.csv"))
    shutil.copy(base / "one/toy-tree/fold-0/seed-0/example.csv", base / "scores.csv")
    names = [line.partition(",")[0] for line in (base / "scores.csv").read_text().splitlines()[1:]]
    for person, label in (("ann", "a1"), ("ben", "b2")):
        rows = [f"{name},{label if i % 2 else 'b1'}" for i, name in enumerate(names)]
        (base / f"{person}.csv").write_text("\n".join(["id,labels", *rows]) + "\n")
    typed("export-task", "smoke", "--dataset", "toy-dag", "--to", base / "dag")
    fold = base / "dag/toy-dag/fold-0"
    shutil.copy(fold / "seed-0/example.csv", base / "dag.csv")
    head, first = (base / "dag.csv").read_text().splitlines()[:2]
    names = [line.partition(",")[0] for line in (fold / "validation/table.csv").read_text().splitlines()[1:]]
    scores = [f"{name},{first.partition(',')[2]}" for name in names]
    (base / "valid.csv").write_text("\n".join([head, *scores]) + "\n")
    shutil.rmtree(base / "dag")
    return base


def _copies(*names: str) -> Any:
    @pytest.fixture
    def copy(once: Path, tmp_path: Path) -> None:
        for name in names:
            if (once / name).is_dir():
                shutil.copytree(once / name, tmp_path / name, dirs_exist_ok=True)
            else:
                shutil.copy(once / name, tmp_path / name)

    return copy


runs = _copies("runs/smoke", "runs/mine")
images = _copies("images")
pictured = _copies("images", "runs/sem-failure")
mine = _copies("mine.toml")
steels = _copies("NIMS-Fatigue.csv")
ridge = _copies("NIMS-Fatigue.csv", "runs/nims-steel")


@pytest.fixture
def apart(apart_once: Path, tmp_path: Path) -> None:
    """Runs with a calibration side and two points of a learning curve: ``runs/apart``."""
    shutil.copytree(apart_once / "runs", tmp_path / "runs", dirs_exist_ok=True)


@pytest.fixture
def answers(answers_once: Path, tmp_path: Path) -> None:
    """For ``bring``: CSV files, and the folders ``one``, ``two`` (folds) and ``seen`` (of images)."""
    shutil.copytree(answers_once, tmp_path, dirs_exist_ok=True)


@pytest.fixture
def one_file(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A model in one file: ``near.py``."""
    monkeypatch.setenv(SWITCH, "builtin")
    typed("plugin", "new", "near", "--kind", "file")
    yield
    sys.modules.pop("near", None)
    default_registry.cache_clear()


@pytest.fixture
def results(runs: None) -> None:
    """Published: ``results``."""
    typed("publish", "runs", "--no-figures")


@pytest.fixture
def torn(images: None) -> None:
    """One picture that cannot be read."""
    Path("images", LEAVES[0], "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n and then nothing")


@pytest.fixture
def leaky(images: None) -> None:
    """A predefined split with a training copy of a test picture."""
    lines = ["file,level1,level2,split"]
    for leaf in LEAVES:
        group, _, name = leaf.partition("/")
        lines += [f"{leaf}/{i}.png,{group},{name},{'test' if i < 3 else 'train'}" for i in range(12)]
    Path("images/index.csv").write_text("\n".join(lines) + "\n")
    shutil.copy(Path("images", LEAVES[0], "0.png"), Path("images", LEAVES[0], "5.png"))


@pytest.fixture
def tables(mine: None) -> None:
    """For ``score``, for ``reproduce``, and alloys with their elements."""
    Path("H.csv").write_text("parent,child\n,a\na,b\n,x\n")
    Path("T.csv").write_text("id,labels\n1,b\n2,x\n")
    Path("P.csv").write_text("id,a,b,x\n1,0.9,0.8,0.1\n2,0.2,0.1,0.9\n")
    Path("table.toml").write_text(TABLE.format(suite="mine.toml"))
    slow = TABLE.replace('"prior"', '"forest[n_estimators=50000]"')  # a minute, if nobody stops it
    Path("slow.toml").write_text(slow.format(suite="mine.toml"))
    several = TABLE.replace(
        'headers = ["F1"]', 'datasets = ["toy-tree", "toy-dag"]\nheaders = ["Tree", "DAG"]'
    )
    for value in ("0.5", "0.6"):
        several = several.replace(f"[{value}]", f"[{value}, {value}]")
    Path("several.toml").write_text(several.format(suite="smoke"))
    Path("pictures.toml").write_text(TABLE.format(suite="sem-failure"))
    Path("elements.csv").write_text("symbol,size\nFe,2\nAl,4\n")
    Path("alloys.csv").write_text("Formula,Other\nFe50Al50,Fe\n")


@pytest.fixture
def machines(tmp_path: Path) -> None:
    """60 rows with columns of 0 and 1 below one parent, and a hierarchy of them."""
    lines = ["uid,batch,day,kind,load,speed,failure,wear,heat"]
    for i in range(60):
        wear, heat = i % 5 == 2, i % 7 == 3
        failure = (wear or heat) and i != 7
        flags = ",".join(str(int(flag)) for flag in (failure, wear, heat))
        lines.append(
            f"{i + 1},B{i % 12},2024-01-{1 + i % 28:02},{'LMH'[i % 3]},{i * i % 11}.5,{i % 3},{flags}"
        )
    (tmp_path / "machines.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "tree.csv").write_text("parent,child\n,fault\nfault,wear\n,other\nother,heat\n")


@pytest.fixture
def page() -> None:
    Path("page.md").write_text("before\n<!-- mine -->\n<!-- /mine -->\nafter\n")


@pytest.fixture
def trained(trained_run: Any) -> None:
    """A network trained on ``images``."""
    shutil.copytree(trained_run.runs, "runs")
    shutil.copytree(trained_run.images, "images")


@pytest.fixture
def trained_apart(trained: None) -> None:
    """The network, with its test samples as the calibration side."""
    (path,) = Path("runs").rglob("predictions.npz")
    stored = read_record(path.parent).predictions()
    replace(stored, side=["calibration" if s == "test" else s for s in stored.side]).save(path)


@pytest.fixture
def masks(trained: None) -> None:
    """The images of the network, each with its class on the left half: ``masks``."""
    for part in ("images", "masks"):
        Path("masks", part).mkdir(parents=True)
    images = sorted(Path("images").rglob("*.png"))
    names = sorted({path.parent.relative_to("images").as_posix() for path in images})
    for i, path in enumerate(images):
        with Image.open(path) as picture:
            picture.save(Path("masks/images", f"{i}.png"))
            mask = np.full(picture.size[::-1], 255, dtype=np.uint8)
        mask[:, : mask.shape[1] // 2] = names.index(path.parent.relative_to("images").as_posix())
        Image.fromarray(mask).save(Path("masks/masks", f"{i}.png"))
    rows = [f"{i},{name}" for i, name in enumerate(names)]
    Path("masks/classes.csv").write_text("\n".join(["value,path", *rows, "255,ignore"]) + "\n")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: Any) -> None:
        """Keep standard error for the command."""


@pytest.fixture
def mirror(once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a server on this machine that has the steels; ``{mirror}`` in a command line."""
    from hmcbench_materials.data import sources

    content = (once / "NIMS-Fatigue.csv").read_bytes()
    known = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "path": "NIMS-Fatigue.csv"}
    monkeypatch.setitem(sources.SOURCES, "nims-steel", replace(sources.SOURCES["nims-steel"], **known))
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler: Callable[..., Any] = partial(_Quiet, directory=str(once))
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
