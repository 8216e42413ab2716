"""The reader of entry points against importlib.metadata, which it stands in for."""

from __future__ import annotations

import importlib.metadata
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from hmcbench.registry.discovery import EntryPoint, entry_points


def distribution(
    folder: Path, name: str, points: str, *, version: str = "1.0", kind: str = "dist-info"
) -> None:
    info = folder / f"{name.replace('-', '_')}-{version}.{kind}"
    info.mkdir(parents=True)
    facts = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: x\n\nVersion: of the text\n"
    (info / ("METADATA" if kind == "dist-info" else "PKG-INFO")).write_text(facts)
    (info / "entry_points.txt").write_text(points)


def by_the_library(group: str) -> list[tuple[str, str, str, str]]:
    points = importlib.metadata.entry_points(group=group)
    return sorted(
        (p.name, p.value, p.dist.metadata["Name"], p.dist.metadata["Version"]) for p in points if p.dist
    )


@pytest.mark.parametrize("group", ["hmcbench", "console_scripts", "pytest11", "distutils.commands", "none"])
def test_agrees_with_importlib_metadata_on_this_environment(group: str) -> None:
    assert sorted(map(tuple, entry_points(group))) == by_the_library(group)


def test_agrees_with_importlib_metadata_on_odd_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    odd = "# why\n\n[other]\na = b\n[mine]\n one=pkg.mod:Thing.part\n\n# two = gone\nthree = pkg [extra]\n"
    distribution(first, "odd-one", odd)
    distribution(first, "Old.Style", "[mine]\nold = pkg:f\n", kind="egg-info")
    distribution(first, "empty", "")
    distribution(second, "odd-one", "[mine]\nshadowed = pkg\n", version="2.0")
    distribution(second, "empty", "[mine]\nshadowed_too = pkg\n", version="2.0")
    (second / "single.egg-info").write_text("Name: single\n")  # a file: no entry points can be in it
    monkeypatch.setattr(sys, "path", [str(first), str(second), str(tmp_path / "absent")])
    points = entry_points("mine")
    assert [p.name for p in points] == ["old", "one", "three"]
    assert sorted(map(tuple, points)) == by_the_library("mine")
    assert points[1] == EntryPoint("one", "pkg.mod:Thing.part", "odd-one", "1.0")


def test_a_distribution_without_metadata_or_with_odd_bytes_is_still_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "bare", "[mine]\na = pkg\n")
    (tmp_path / "bare-1.0.dist-info" / "METADATA").unlink()
    distribution(tmp_path, "latin", "[mine]\nb = pkg\n")
    (tmp_path / "latin-1.0.dist-info" / "METADATA").write_bytes(
        b"Name: latin\nAuthor: \xe9\xff\nVersion: 3\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert [(p.distribution, p.version) for p in entry_points("mine")] == [("?", "?"), ("latin", "3")]


def test_zip_files_and_foreign_finders_are_left_to_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "plugin.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("zipped-4.0.dist-info/METADATA", "Name: zipped\nVersion: 4.0\n")
        file.writestr("zipped-4.0.dist-info/entry_points.txt", "[mine]\nz = pkg\n")
    monkeypatch.setattr(sys, "path", [str(archive)])
    assert entry_points("mine") == [EntryPoint("z", "pkg", "zipped", "4.0")]

    distribution(tmp_path / "hidden", "hidden", "[mine]\nh = pkg\n")
    info = importlib.metadata.PathDistribution(tmp_path / "hidden" / "hidden-1.0.dist-info")
    finder = SimpleNamespace(find_spec=lambda *a: None, find_distributions=lambda *a: iter([info]))
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, finder])
    assert entry_points("mine") == [EntryPoint("h", "pkg", "hidden", "1.0")]


@pytest.mark.parametrize(
    ("value", "name"),
    [("json", "json"), ("json:dumps", "dumps"), ("json.decoder:JSONDecoder.decode [x]", "decode")],
)
def test_loads_modules_objects_and_parts_of_objects(value: str, name: str) -> None:
    assert EntryPoint("n", value, "d", "1").load().__name__ == name


def test_a_missing_module_or_object_raises_as_an_import_does() -> None:
    with pytest.raises(ModuleNotFoundError):
        EntryPoint("n", "no_such_module_at_all", "d", "1").load()
    with pytest.raises(AttributeError):
        EntryPoint("n", "json:no_such_name", "d", "1").load()
