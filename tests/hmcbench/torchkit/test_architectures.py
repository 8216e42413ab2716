"""A name that timm does not know is refused while a run is planned, before anything heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hmcbench.errors import BadInput

pytestmark = pytest.mark.torch
PLAN = ("run", "--suite", "sem-failure", "--dry-run", "--set", "sem-failure.size=32")


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (("timm:doesnotexist",), "unknown timm architecture 'doesnotexist'. Allowed: a name that timm"),
        (("timm:resnet1t",), "did you mean 'resnet14t' or 'resnet10t'"),
        (("timm[architecture=resnet1t]",), "did you mean 'resnet14t'"),
        (("hffnet-2d", "--set", "hffnet-2d.backbone=resnet5"), "did you mean 'resnet50"),
        (("timm:resnet10t[momentum=1.0]",), "momentum=1 is beta1 of adamw. Allowed: 0 and more, below 1; or"),
    ],
)
def test_a_plan_refuses_it(
    cli: Callable[..., Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    model: tuple[str, ...],
    says: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = cli(*PLAN, "--model", *model)
    assert ended.status == 2 and not ended.out
    assert ended.err.count("\n") == 1 and says in ended.err
    assert list(tmp_path.iterdir()) == []


def test_every_name_of_timm_is_known_without_importing_it() -> None:
    import timm

    from hmcbench.torchkit.architectures import _registered, check

    assert set(timm.list_models()) == _registered()
    check(architecture="resnet50.a1_in1k")  # with the name of its weights
    check(backbone="vit_base_patch16_224_in21k")  # an old alias: timm itself is asked
    with pytest.raises(BadInput):
        check(architecture="resnet50_of_nobody.a1_in1k")


def test_a_plan_with_known_names_imports_neither_torch_nor_timm() -> None:
    args = [*PLAN, "--model", "timm:resnet10t", "--model", "hffnet-2d"]
    code = (
        "import sys, atexit; from hmcbench.cli import main\n"
        "atexit.register(lambda: print({'torch', 'timm'} & set(sys.modules)))\n"
        f"main({args!r})"
    )
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "2 to run" in completed.stdout and completed.stdout.splitlines()[-1] == "set()"


def test_a_momentum_of_1_is_for_sgd_alone() -> None:
    from hmcbench.torchkit.architectures import check

    with pytest.raises(BadInput, match="momentum=1"):
        check(optimizer="adamw", momentum=1.0)
    check(optimizer="adamw", momentum=0.999)
    check(optimizer="sgd", momentum=1.0)
