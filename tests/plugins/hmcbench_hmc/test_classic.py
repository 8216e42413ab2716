"""The classic sets: found, fetched, synthetic; and the suite of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmcbench_hmc.classic import fetch, sets
from hmcbench_hmc.classic.dataset import classic
from hmcbench_hmc.specs import DATASETS

from hmcbench.data.contract import check
from hmcbench.data.sources import Source
from hmcbench.errors import BadInput
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry

REAL = {  # rows, features, classes, edges, levels, share of missing values
    "cellcycle_FUN": (3757, 77, 499, 481, 6, 0.0557),
    "church_FUN": (3755, 27, 499, 481, 6, 0.0965),
    "derisi_FUN": (3725, 63, 499, 481, 6, 0),
    "eisen_FUN": (2424, 79, 461, 443, 6, 0.0193),
    "gasch1_FUN": (3764, 173, 499, 481, 6, 0.0277),
    "gasch2_FUN": (3779, 52, 499, 481, 6, 0.0355),
    "pheno_FUN": (1591, 69, 455, 437, 6, 0),
    "seq_FUN": (3919, 478, 499, 481, 6, 0.00002),
    "spo_FUN": (3703, 80, 499, 481, 6, 0.0228),
    "cellcycle_GO": (3751, 77, 4125, 5824, 14, 0.0559),
    "derisi_GO": (3719, 63, 4119, 5818, 14, 0),
    "eisen_GO": (2418, 79, 3573, 5034, 14, 0.0193),
    "gasch1_GO": (3758, 173, 4125, 5824, 14, 0.0278),
    "gasch2_GO": (3773, 52, 4131, 5834, 14, 0.0356),
    "pheno_GO": (1586, 69, 3127, 4447, 14, 0),
    "seq_GO": (3900, 478, 4133, 5836, 14, 0.00002),
    "spo_GO": (3697, 80, 4119, 5818, 14, 0.0228),
    "Diatoms": (3119, 371, 398, 313, 3, 0),
    "ImCLEF07A": (11006, 80, 96, 88, 3, 0),
}


def test_the_spec_names_the_sets_that_there_are() -> None:
    (spec,) = (s for s in DATASETS if s.name == "hmc-classic")
    assert spec.params["set"].choices == (*sets.SYNTHETIC, *sets.SETS)
    assert set(sets.SETS) == set(REAL)
    suite = load_suite(default_registry(), "hmc-classic")
    assert [name.partition(":")[2] for name in suite.datasets] == list(sets.SETS)
    assert [name.partition(":")[2] for name in suite.without_data] == list(sets.SYNTHETIC)


def test_every_set_has_its_original_files() -> None:
    for name in sets.SETS:
        sides = {"train", "validation", "test"} - ({"validation"} if "_" not in name else set())
        assert set(sets.sources(name)) == sides
        assert all(len(source.sha256) == 64 and source.size for source in sets.sources(name).values())


FAST = ("cellcycle_FUN", "pheno_GO", "Diatoms")


@pytest.mark.parametrize("name", [n if n in FAST else pytest.param(n, marks=pytest.mark.slow) for n in REAL])
def test_real_sets(name: str, shared: Callable[[str], Path]) -> None:
    dataset = classic(set=name, path=str(shared("hmc_classic")))
    (spec,) = (s for s in DATASETS if s.name == "hmc-classic")
    check(dataset, spec)
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None
    table = dataset.views["table"]
    sizes = (*table.shape, hierarchy.n, len(hierarchy.edge_index), hierarchy.depth)
    assert sizes == REAL[name][:5]
    assert np.isnan(table).mean() == pytest.approx(REAL[name][5], abs=1e-4)
    assert dataset.task.unscored == (sets.GO_ROOTS if name.endswith("_GO") else ())
    assert dataset.task.paths == ("multiple" if "_" in name else "single")
    assert not dataset.share_targets


@pytest.mark.parametrize("name", sets.SYNTHETIC)
def test_synthetic_sets(name: str) -> None:
    dataset, again, other = (classic(set=name, seed=seed) for seed in (0, 0, 1))
    (spec,) = (s for s in DATASETS if s.name == "hmc-classic")
    check(dataset, spec)
    assert dataset.fingerprint == again.fingerprint != other.fingerprint
    assert dataset.synthetic and dataset.share_targets and dataset.task.paths == "multiple"
    assert {side: list(dataset.split or ()).count(side) for side in ("train", "validation", "test")} == {
        "train": 300,
        "validation": 100,
        "test": 200,
    }
    assert any(kind.values for kind in dataset.kinds["table"])
    assert all(kind.missing for kind in dataset.kinds["table"])
    hierarchy = dataset.task.hierarchy
    assert hierarchy is not None and hierarchy.is_tree == (name == "synthetic-tree")


def test_a_folder_without_the_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no test file of spo_GO"):
        classic(set="spo_GO", path=str(tmp_path))
    with pytest.raises(BadInput, match="no such folder"):
        classic(set="spo_GO", path=str(tmp_path / "absent"))
    with pytest.raises(BadInput, match="data fetch hmc-classic:spo_GO"):
        classic(set="spo_GO")


# --------------------------------------------------------------------------- fetched from this machine

ARFF = "@attribute x real\n@attribute class hierarchical a,a/b,c\n@data\n{}\n"
FILES = {side: ARFF.format(f"{i},a/b\n{i + 9},a@c").encode() for i, side in enumerate(("train", "test"))}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        side = self.path.removeprefix("/copy/others/Diatoms_").removesuffix(".arff")
        if side not in FILES:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(FILES[side])))
        self.end_headers()
        self.wfile.write(FILES[side])

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HMCBENCH_MIRROR"):
        monkeypatch.delenv(name, raising=False)

    known = {
        side: Source(
            "", f"others/Diatoms_{side}.arff", sha256(data).hexdigest(), len(data), f"Diatoms_{side}.arff"
        )
        for side, data in FILES.items()
    }
    for module in (sets, fetch):
        monkeypatch.setattr(module, "sources", lambda _name: known)
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/copy"
        server.shutdown()
        thread.join()


def test_a_set_is_fetched_and_found(cli: Callable[..., Any], address: str) -> None:
    pytest.importorskip("pooch")
    assert not sets.at_hand(set="Diatoms")
    ended = cli("data", "fetch", "hmc-classic:Diatoms", "--mirror", address)
    assert ended.status == 0, ended.err
    assert sets.at_hand(set="Diatoms")
    assert len(classic(set="Diatoms").ids) == 4
    changed = dict(FILES)
    FILES["test"] = FILES["test"].replace(b"a@c", b"a@a")
    try:
        (Path(ended.out.strip().partition(": ")[2]) / "Diatoms_test.arff").unlink()
        again = cli("data", "fetch", "hmc-classic:Diatoms", "--mirror", address)
        assert again.status == 2 and "its checksum differs" in again.err and again.err.count("\n") == 1
    finally:
        FILES.update(changed)


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ("hmc-classic:spo", "set='spo' cannot be used"),
        ("hmc-classic:synthetic-dag", "needs no files"),
        ("hmc-classic[set=spo_GO]", "NAME:VARIANT"),
    ],
)
def test_bad_names_to_fetch(cli: Callable[..., Any], address: str, reference: str, says: str) -> None:
    pytest.importorskip("pooch")
    ended = cli("data", "fetch", reference, "--mirror", address)
    assert ended.status == 2 and says in ended.err and ended.err.count("\n") == 1


def test_lint(cli: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "my.arff").write_text(ARFF.format("1,a\n2,x"))
    ended = cli("data", "lint", tmp_path / "my.arff", "--dataset", "arff")
    assert ended.status == 2 and "my.arff:5" in ended.out and "'x' is not in the header" in ended.out


def test_without_data_the_synthetic_sets_run(cli: Callable[..., Any], tmp_path: Path) -> None:
    args = ("run", "--suite", "hmc-classic", "--model", "prior", "--out", tmp_path / "runs", "--dry-run")
    ended = cli(*args)
    assert ended.status == 0, ended.err
    assert "synthetic-tree" in ended.out and "left out, as their data are not here" in ended.out
