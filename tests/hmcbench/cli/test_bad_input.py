"""Bad input of every kind: exit status 2, one clear line, no traceback, nothing half-written."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

H = "parent,child\n,a\na,b\n,x\n"
T = "id,labels\n1,b\n2,x\n"
P = "id,a,b,x\n1,0.9,0.8,0.1\n2,0.2,0.1,0.9\n"
SUITE = """
[suite]
name = "mine"
version = 1
datasets = ["toy-tree"]
primary = "hf1_samples"
[profiles.quick]
models = ["prior"]
"""


def refused(ended: Any, says: str) -> None:
    assert ended.status == 2, ended
    lines = ended.err.strip().splitlines()
    assert len(lines) == 1, ended.err
    assert lines[0].startswith("hmcbench: ")
    assert "Traceback" not in ended.err + ended.out
    assert says.lower() in lines[0].lower(), lines[0]


FLAGS = [
    (["rnu"], "did you mean 'run'"),
    (["nothing-like-it"], "no command"),
    (["--nope"], "--nope"),
    (["run"], "--suite"),
    (["run", "--suite"], "--suite"),
    (["run", "--suite", "smok"], "did you mean 'smoke'"),
    (["run", "--suite", "no/such.toml"], "cannot be read"),
    (["run", "--suite", "smoke", "--profil", "quick"], "--profile"),
    (["run", "--suite", "smoke", "--profile", "qick"], "did you mean 'quick'"),
    (["run", "--suite", "smoke", "--seeds", "-1"], "--seeds"),
    (["run", "--suite", "smoke", "--seeds", "x"], "--seeds"),
    (["run", "--suite", "smoke", "--seeds", "100000"], "--seeds"),
    (["run", "--suite", "smoke", "--splits", "1001"], "--splits"),
    (["run", "--suite", "smoke", "--jobs", "0"], "--jobs"),
    (["run", "--suite", "smoke", "--timeout", "-3"], "--timeout"),
    (["run", "--suite", "smoke", "--timeout", "nan"], "nan"),
    (["run", "--suite", "smoke", "--timeout", "inf"], "--timeout"),
    (["run", "--suite", "smoke", "--rerun", "some"], "--rerun"),
    (["run", "--suite", "smoke", "--budget", "30"], "Allowed: 90s, 30m"),
    (["run", "--suite", "smoke", "--budget", "soon"], "Allowed: 90s, 30m"),
    (["run", "--suite", "smoke", "--per-gpu", "0"], "--per-gpu"),
    (["run", "--suite", "smoke", "--executor", "cloud"], "--executor"),
    (["run", "--suite", "smoke", "--executor", "slurm"], "--dry-run > job.sh"),
    (["run", "--suite", "smoke", "--executor", "ray", "--device", "cuda:0"], "the cluster assigns"),
    (["run", "--suite", "smoke", "--quiet", "--json"], "together"),
    (["run", "--suite", ""], "--suite is empty. Allowed: --suite NAME|FILE.toml"),
    (["run", "--table", ""], "--table is empty"),
    (["suite", "new", "a.toml", "--images", ""], "--images is empty"),
    (["run", "--suite", "/"], "cannot be read"),
    (["run", "--suite", "smoke", "--model", ""], "Allowed: "),
    (["run", "--suite", "sem-failure", "--model", "timm:"], "Allowed: "),
    (["run", "--suite", "smoke", "--device", "tpu"], "Allowed: auto, cpu"),
    (["run", "--suite", "smoke", "--device", "cuda:x"], "cuda:N"),
    (["run", "--suite", "smoke", "--device", "cuda:77"], "not here"),
    (["run", "--suite", "smoke", "--model", "prio"], "did you mean 'prior'"),
    (["run", "--suite", "smoke", "--model", "prior["], "Allowed: "),
    (["run", "--suite", "smoke", "--model", "zz*"], "of this suite"),
    (["run", "--suite", "smoke", "--dataset", "toy-tre"], "did you mean 'toy-tree'"),
    (["run", "--suite", "smoke", "--set", "prior"], "model.param=value"),
    (["run", "--suite", "smoke", "--set", "prior=3"], "model.param=value"),
    (["run", "--suite", "smoke", "--set", "nobody.x=3"], "unknown model or dataset"),
    (["run", "--suite", "smoke", "--set", "toy-tree.sample=3"], "did you mean 'samples'"),
    (["run", "--suite", "smoke", "--set", "toy-tree.samples=many"], "a whole number"),
    (["run", "--suite", "smoke", "--set", "toy-tree.samples=999999999999"], "at most 1e+06"),
    (["run", "--suite", "smoke", "--set", "toy-tree.noise=nan"], "a number"),
    (["run", "--suite", "smoke", "--set", "a.b=1", "--set", "a.b=2"], "given twice"),
    (["run", "--suite", "smoke", "--data", "toy-tree"], "NAME=PATH"),
    (["run", "--suite", "smoke", "--data", "toy-tree="], "NAME=PATH"),
    (["run", "--suite", "smoke", "--data", "toy=x"], "unknown dataset"),
    (["run", "--suite", "smoke", "--data", "toy-tree=x"], "reads no path"),
    (["run", "--suite", "sem-failure", "--data", "sem-failure=no/such/folder"], "no/such/folder"),
    (["run", "--suite", "sem-failure", "--crop-bottom", "much", "--model", "prior"], "crop_bottom"),
    (["run", "--suite", "smoke", "--set", "toy-tree.samples=1_000"], "samples='1_000' cannot be used"),
    (["list", "modls"], "modls"),
    (["show", "model", "prio"], "did you mean 'prior'"),
    (["show", "thing", "prior"], "thing"),
    (["show", "metric", "level2_acuracy"], "more. hmcbench list metrics"),
    (["show", "metric", "level0_accuracy"], "unknown metric"),
    (["show", "suite", "smoke", "extra"], "extra"),
    (["show", "model", "prior:x"], "takes no :variant"),
    (["show", "suite", "none-such"], "unknown suite"),
    (["leaderboard", "no-such-folder"], "no folder"),
    (["leaderboard", "--format", "pdf"], "pdf"),
    (["rescore", "no-such-folder"], "no folder"),
    (["publish", "no-such-folder"], "no folder"),
    (["verify", "no-such-folder"], "no folder"),
    (["verify", "--data", "x"], "no folder results"),
    (["data", "lint"], "PATH"),
    (["data", "lnit", "x"], "lnit"),
    (["data", "lint", os.devnull], "holds no image. Allowed: sub-folders"),
    (["data", "lint", "no-such-folder"], "no-such-folder"),
    (["data", "lint", "no-such-folder", "--as", "toy-tree"], "reads no files"),
    (["score"], "--hierarchy"),
    (["score", "--hierarchy", "h", "--truth", "t", "--predictions", "p", "--threshold", "2"], "--threshold"),
]


@pytest.mark.parametrize(("args", "says"), FLAGS, ids=[" ".join(a) for a, _ in FLAGS])
def test_bad_flags_and_names(
    cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(cli(*args), says)
    assert list(tmp_path.iterdir()) == []


SUITES = [
    (SUITE.replace("version = 1", ""), "lacks version"),
    (SUITE.replace("primary", "primry"), "did you mean 'primary'"),
    (SUITE.replace("toy-tree", "toy-treee"), "did you mean 'toy-tree'"),
    (SUITE.replace("hf1_samples", "hf1_sample"), "did you mean 'hf1_samples'"),
    (
        SUITE.replace("hf1_samples", "hf1_samples_coherent"),
        "'hf1_samples', which reads the coherent decision",
    ),
    (SUITE.replace('"prior"', '"prior[x=1]"'), "parameter of prior"),
    (SUITE + "\n[extra]\n", "unknown table"),
    ("not toml at all", "is not TOML"),
]


@pytest.mark.parametrize(("text", "says"), SUITES, ids=[s for _, s in SUITES])
def test_bad_suites(cli: Callable[..., Any], tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "s.toml").write_text(text)
    refused(cli("run", "--suite", tmp_path / "s.toml", "--out", tmp_path / "runs"), says)
    assert [p.name for p in tmp_path.iterdir()] == ["s.toml"]


TABLES = [
    ({"H.csv": "parent;child\n"}, "H.csv"),
    ({"H.csv": H + "p,q\nq,p\n"}, "cycle"),
    ({"H.csv": ""}, "H.csv"),
    ({"T.csv": "id,labels\n1,b\n2,q\n"}, "T.csv:3"),
    ({"T.csv": "id,labels\n1,b\n1,x\n"}, "T.csv:3"),
    ({"T.csv": "name,labels\n1,b\n"}, "id"),
    ({"T.csv": "id,labels\n1,b\n"}, "2"),
    ({"P.csv": "id,a,b,x\n1,0.9,much,0.1\n2,0,0,0\n"}, "P.csv:2"),
    ({"P.csv": "id,a,b,x\n1,0.9,1.5,0.1\n2,0,0,0\n"}, "P.csv:2"),
    ({"P.csv": "id,a,b,x\n1,0.9,nan,0.1\n2,0,0,0\n"}, "P.csv:2"),
    ({"P.csv": "id,a,b,q\n1,0.9,0,0.1\n2,0,0,0\n"}, "q"),
    ({"P.csv": "id,a,b,x\n1,0.9,0\n2,0,0,0\n"}, "P.csv:2"),
    ({"P.csv": None}, "P.csv"),
    ({"P.csv": b"id,a\xff,b\n"}, "P.csv"),
]


@pytest.mark.parametrize(("changes", "says"), TABLES)
def test_bad_tables_for_score(
    cli: Callable[..., Any], tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    for name, content in {"H.csv": H, "T.csv": T, "P.csv": P, **changes}.items():
        if content is not None:
            (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    files = (
        "--hierarchy",
        tmp_path / "H.csv",
        "--truth",
        tmp_path / "T.csv",
        "--predictions",
        tmp_path / "P.csv",
    )
    refused(cli("score", *files), says)


RECORDS = [
    ("record.json", "{", "cannot be read"),
    ("record.json", "[]", "is not a record"),
    ("record.json", json.dumps({"schema": 99}), "schema 99"),
    ("predictions.npz", "torn", "predictions.npz"),
    ("predictions.npz", None, "predictions.npz"),
]


@pytest.mark.parametrize(("name", "text", "says"), RECORDS)
def test_damaged_records(
    cli: Callable[..., Any], tmp_path: Path, name: str, text: str | None, says: str
) -> None:
    out = tmp_path / "runs"
    ended = cli(
        "run", "--suite", "smoke", "--dataset", "toy-tree", "--model", "prior", "--out", out, "--json"
    )
    assert ended.status == 0, ended.err
    (folder,) = (out / "smoke" / "records").iterdir()
    if text is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(text)
    refused(cli("publish", out, "--to", tmp_path / "results"), says)
    assert not (tmp_path / "results").exists()


def test_a_file_where_a_folder_should_be(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refused(cli("run", "--suite", "smoke", "--out", tmp_path / "file"), "file")
    refused(cli("leaderboard", tmp_path / "file"), "file")


def test_an_output_that_cannot_be_written(cli: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "runs"
    cli("run", "--suite", "smoke", "--dataset", "toy-tree", "--model", "prior", "--out", out, "--json")
    refused(cli("leaderboard", out, "--output", tmp_path / "none" / "board.md"), "no folder")
