"""A trained MCVN as files: numbers as safetensors, the rest as plain JSON; nothing is executed."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file

from hmcbench.cache import replacing, write_atomic
from hmcbench.errors import BadInput
from hmcbench.interfaces import Run
from hmcbench.torchkit.weights import SETTINGS, WEIGHTS, read_state
from hmcbench_materials.mcvn import Architecture, Running
from hmcbench_materials.mcvn_heads import ClassHead, RegressionHead
from hmcbench_materials.mcvn_scaling import Components, Ranges
from hmcbench_materials.mcvn_train import Bank, Samples

if TYPE_CHECKING:
    from hmcbench_materials.mcvn_model import Mcvn

_ALLOWED = "files written by hmcbench run"


def save(model: Mcvn, folder: Path) -> None:
    """Networks, ranges and components; the training samples only where the attention is to them."""
    tensors: dict[str, Any] = {
        "networks": model.bank.weights.detach(),
        "running.mean": model.bank.running.mean,
        "running.variance": model.bank.running.variance,
        "rates": model.bank.rates[:, 0],
        "train.images": model.train.images,
        "train.table": model.train.table,
        **_ranges("image", model.image_ranges),
        **_ranges("table", model.table_ranges),
    }
    if isinstance(model.head, RegressionHead):
        tensors |= {"targets.mean": model.head.mean, "targets.deviation": model.head.deviation}
    if model.components is not None:
        tensors |= {"components.mean": model.components.mean, "components.axes": model.components.axes}
    plain = {name: torch.as_tensor(value).contiguous().clone() for name, value in tensors.items()}
    with replacing(folder / WEIGHTS) as fresh:
        save_file(plain, fresh)
    kept = {"plan": asdict(model.plan), "fitted_on": model.fitted_on, "threads": model.threads}
    write_atomic(folder / SETTINGS, json.dumps(kept, indent=1, sort_keys=True) + "\n")


def load(model: Mcvn, folder: Path, run: Run) -> None:
    """Make ``model`` what it was when it was saved.

    Raises:
        BadInput: files that are missing, damaged, or of a model with other parameters or another task.
    """
    state = read_state(folder / WEIGHTS)
    try:
        kept = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        plan = Architecture(**kept["plan"])
        model.fitted_on, model.threads = str(kept["fitted_on"]), min(int(kept["threads"]), run.threads)
        model.image_ranges, model.table_ranges = (_read_ranges(state, name) for name in ("image", "table"))
        model.components = None
        if not plan.convolution:
            model.components = Components(state["components.mean"].numpy(), state["components.axes"].numpy())
        if run.task.kind == "regression":
            model.head = RegressionHead(state["targets.mean"].numpy(), state["targets.deviation"].numpy())
        else:
            model.head = ClassHead(run.task)
        bank = Bank(plan, state["networks"], state["rates"])
        bank.running = Running(state["running.mean"], state["running.variance"])
        images, table = state["train.images"], state["train.table"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} cannot be read ({error})", allowed=_ALLOWED) from None
    expected = model.members * model.head.networks, plan.parameters
    same = {name: getattr(plan, name) for name in model.parts} == model.parts
    if not same or plan.outputs != model.head.outputs or tuple(bank.weights.shape) != expected:
        raise BadInput(f"{folder} holds an mcvn of other parameters or of another task", allowed=_ALLOWED)
    empty = torch.empty(len(bank.weights), table.shape[1], 0, dtype=table.dtype)  # no targets are kept
    model.plan, model.bank, model.train = plan, bank, Samples(images, table, empty)


def _ranges(name: str, ranges: Ranges) -> dict[str, Any]:
    return {f"{name}.low": ranges.low, f"{name}.high": ranges.high}


def _read_ranges(state: dict[str, torch.Tensor], name: str) -> Ranges:
    return Ranges(state[f"{name}.low"].numpy(), state[f"{name}.high"].numpy())
