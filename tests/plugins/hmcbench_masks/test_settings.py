"""The model that ``patch`` slides over a picture: its settings are checked while a run is planned."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hmcbench_masks.models.patches import Patches
from hmcbench_masks.models.settings import check_in_profile

from hmcbench.errors import BadInput, NotApplicable
from hmcbench.registry.registry import default_registry, load_object
from hmcbench.testing.helpers import fitted
from hmcbench.testing.label_maps import tiny_maps

from .conftest import Folder

Cli = Callable[..., Any]
NETWORK = "patch:timm:resnet10t[settings={}]"


def check(reference: str) -> None:
    """As a plan does."""
    spec, params = default_registry().resolve("models", reference)
    load_object(spec.check)(**params)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("patch:forst", "did you mean 'forest'"),
        ("patch:ridge", "does not label whole images"),
        ("patch:pixel-prior", "does not label whole images"),
        ("patch:forest[side=16]", "stride=48: patches of 16 pixels leave gaps"),
        ("patch:forest[settings=tres=5]", "unknown parameter of forest 'tres'"),
        ("patch:forest[settings=trees=0]", "n_estimators='0' cannot be used"),
        ("patch[model=forest[trees=5]]", "a name without parameters"),
    ],
)
def test_what_no_cell_could_use_is_refused(reference: str, said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("[", r"\[")):
        check(reference)


@pytest.mark.torch
@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("patch:timm:resnet10", "unknown timm architecture 'resnet10'"),
        (NETWORK.format("mc_dropout=10"), "trained without dropout"),
        (NETWORK.format("first_size=512"), "first_size=512 with image_size=64"),
        (NETWORK.format("epochs=6;pretrained=w.pth"), r"the file w.pth \(pretrained\)"),
    ],
)
def test_the_wrapped_model_checks_its_settings(reference: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check(reference)


@pytest.mark.torch
@pytest.mark.parametrize(
    "settings", ["mc_dropout=10;dropout=0.1", "pretrained=yes", "pretrained=False", "first_size=96"]
)
def test_settings_that_some_profile_allows_pass(settings: str) -> None:
    check(NETWORK.format(settings))


@pytest.mark.torch
def test_a_file_in_brackets_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = "patch:forest[settings=trees=5;inputs=embedding[backbone=timm:resnet10t;weights={};size=32]]"
    check(model.format("random"))
    Path("w.pth").write_bytes(b"weights")
    with pytest.raises(BadInput, match=r"the file w.pth \(inputs\)"):
        check(model.format("w.pth"))


@pytest.mark.torch
def test_the_profile_counts_in_a_cell() -> None:
    check_in_profile("timm:resnet10t", "first_size=96", "standard")  # images of 128 pixels
    with pytest.raises(BadInput, match="first_size=96 with image_size=64"):
        fitted(Patches(model="timm:resnet10t", settings="first_size=96;epochs=1"), tiny_maps(4))
    with pytest.raises(BadInput, match="first_layer=whitened would replace trained weights"):
        check_in_profile("hffnet-2d", "first_layer=whitened", "paper")
    check_in_profile("hffnet-2d", "first_layer=whitened;recipe=scratch", "paper")  # brings random weights


def test_a_model_without_its_library_does_not_apply(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = default_registry()
    with monkeypatch.context() as patch:
        patch.setattr(registry.get("models", "forest"), "requires", ("no_such_library",))
        with pytest.raises(NotApplicable, match="forest needs no_such_library"):
            check("patch:forest")
    monkeypatch.setattr(registry.get("featurizers", "texture"), "requires", ("no_such_library",))
    with pytest.raises(NotApplicable, match="forest cannot be trained on images alone"):
        check("patch:forest")


def test_the_plan_ends_with_one_line(folder: Folder, cli: Cli, tmp_path: Path) -> None:
    data = ("run", "--suite", "masks", "--data", f"masks={folder(12)}", "--out", tmp_path / "runs")
    for model, said in (
        ("patch:forest[side=16]", "leave gaps"),
        ("patch:forest[settings=tres=5]", "unknown parameter of forest"),
        ("pixel-forest[widths=1;x]", "widths=1;x"),
    ):
        ended = cli(*data, "--model", model)
        assert ended.status == 2 and said in ended.err, model
        assert "Traceback" not in ended.err
    assert not list(tmp_path.glob("runs/**/record.json"))
