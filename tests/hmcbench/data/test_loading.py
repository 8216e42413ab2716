"""Datasets from their plugins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.data.loading import dataset_of_file, lint_dataset, load_dataset, plan_dataset
from hmcbench.errors import BadInput, DataProblems, PluginError, Problem, Unavailable
from hmcbench.interfaces import DataReport, Dataset, DatasetSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.registry.registry import Registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset


def lint(path: str, n: int) -> DataReport:
    return DataReport(path, {"samples": str(n)}, [])


def bad_files(**_params: Any) -> Dataset:
    raise DataProblems("folder", [Problem("1.png", "unreadable", "unreadable")])


def divide(**_params: Any) -> Dataset:
    raise ZeroDivisionError("division by zero")


@pytest.fixture
def registry() -> Iterator[Registry]:
    about: dict[str, Any] = {"version": "1", "summary": "", "views": ("table",)}
    specs = [
        DatasetSpec(name="tiny", factory=tiny_dataset, params={"samples": Param(20)}, **about),
        DatasetSpec(name="list", factory=list, **about),
        DatasetSpec(name="broken", factory=divide, **about),
        DatasetSpec(name="lacking", factory=tiny_dataset, requires=("no_such",), **about),
        DatasetSpec(
            name="files",
            factory=bad_files,
            params={"path": Param(""), "n": Param(3)},
            path_param="path",
            linter=f"{__name__}:lint",
            **about,
        ),
    ]
    plugin = SimpleNamespace(__name__="datasets", hmcbench_datasets=hookimpl(lambda: specs))
    with temporary_plugin(plugin) as registry:
        yield registry


def plan(registry: Registry, name: str) -> Dataset:
    spec, params = registry.resolve("datasets", name)
    return plan_dataset(registry, spec, params, name)


def test_the_parameters_reach_the_factory(registry: Registry) -> None:
    assert len(load_dataset(registry, registry.get("datasets", "tiny"), {"samples": 30}).ids) == 30
    assert len(plan(registry, "tiny[samples=25]").ids) == 25


@pytest.mark.parametrize(
    ("name", "error", "says"),
    [
        ("list", PluginError, "dataset list made a list, not a Dataset"),
        ("broken", PluginError, "divide of broken raised ZeroDivisionError"),
        ("lacking", Unavailable, "needs no_such"),
        ("files", DataProblems, "hmcbench data lint folder --dataset files"),
    ],
)
def test_an_error_of_a_factory_is_one_line(
    registry: Registry, name: str, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says) as caught:
        plan(registry, name)
    assert "\n" not in str(caught.value)


def test_files_are_linted_by_the_plugin(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.get("datasets", "files"), "linter", lint)
    report = lint_dataset(registry, "files[n=4]", "here", crop_bottom=1)
    assert (report.source, report.facts) == ("here", {"samples": "4"})
    with pytest.raises(BadInput, match="reads no files"):
        lint_dataset(registry, "tiny", "here")


@pytest.fixture
def claims() -> Iterator[Registry]:
    about: dict[str, Any] = {"version": "1", "summary": "", "factory": list}
    specs = [
        DatasetSpec(name="spectra", files={".dx": (), ".spectra.csv": ()}, **about),
        DatasetSpec(name="curves", files={".csv": ("Strain", "stress")}, **about),
        DatasetSpec(name="others", files={".jdx": (), ".JDX": ()}, **about),
        DatasetSpec(name="rival", files={".jdx": ()}, **about),
    ]
    plugin = SimpleNamespace(__name__="claims", hmcbench_datasets=hookimpl(lambda: specs))
    with temporary_plugin(plugin) as registry:
        yield registry


@pytest.mark.parametrize(
    ("name", "content", "dataset"),
    [
        ("a.DX", "", "spectra"),
        ("a.spectra.csv", "stress,strain\n", "spectra"),
        ("a.csv", "STRESS;Strain;x\n1;2;3\n", "curves"),
        ("a.csv", "stress,x\n", "table"),
        ("a.csv", "file,stress,strain\n", "curves"),
        ("a.csv", "file,labels\n", "images"),
        ("a.csv", 'x,"\n', "table"),
        ("a.csv", "", "table"),
        ("index.csv", "name,labels\n", "images"),
        ("a.tsv", "file\tx\n", "table"),
        ("a.XLSX", "no text", "table"),
        ("a.arff", "", "arff"),
        ("a.train.ARFF.gz", "", "arff"),
        ("a.gz", "", ""),
        ("arff", "", ""),
    ],
)
def test_the_dataset_of_a_file(
    claims: Registry, tmp_path: Path, name: str, content: str, dataset: str
) -> None:
    (tmp_path / name).write_text(content)
    assert dataset_of_file(claims, tmp_path / name) == dataset
    (tmp_path / name).unlink()
    assert dataset_of_file(claims, tmp_path / name) == ""
    (tmp_path / name).mkdir()
    assert dataset_of_file(claims, tmp_path / name) == ""


def test_two_datasets_that_claim_a_file_are_named(claims: Registry, tmp_path: Path) -> None:
    (tmp_path / "a.jdx").touch()
    with pytest.raises(BadInput, match=r"may be a file of others or rival\..*--dataset others"):
        dataset_of_file(claims, tmp_path / "a.jdx")
