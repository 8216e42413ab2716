"""A trained MCVN as files: numbers as safetensors, the rest as plain JSON; nothing is executed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from hmcbench.errors import BadInput
from hmcbench.files import replacing, write_atomic
from hmcbench.interfaces import Run, Task
from hmcbench.torchkit.weights import ALLOWED, SETTINGS, WEIGHTS, read_state
from hmcbench_materials.mcvn.architecture import Architecture
from hmcbench_materials.mcvn.heads import ClassHead, Head, RegressionHead
from hmcbench_materials.mcvn.network import Running
from hmcbench_materials.mcvn.scaling import Components, Ranges
from hmcbench_materials.mcvn.train import Bank, SampleGroups


@dataclass(frozen=True)
class FittedBank:
    """The result of a fit, with all that a prediction needs.

    Attributes:
        bank: the networks.
        head: turns their outputs into scores.
        train: the training samples, where the attention is to them; else none.
        image_ranges, table_ranges: of the training rows.
        components: where the image is not convolved.
        fitted_on: the partitions that were trained on, in words.
        threads: that the fit was given.
    """

    bank: Bank
    head: Head
    train: SampleGroups
    image_ranges: Ranges
    table_ranges: Ranges
    components: Components | None
    fitted_on: str
    threads: int


def save(kept: FittedBank, folder: Path) -> None:
    """Networks, ranges and components; the training samples only where the attention is to them."""
    tensors: dict[str, Any] = {
        "networks": kept.bank.weights.detach(),
        "running.mean": kept.bank.running.mean,
        "running.variance": kept.bank.running.variance,
        "train.images": kept.train.images,
        "train.table": kept.train.table,
        **_ranges("image", kept.image_ranges),
        **_ranges("table", kept.table_ranges),
    }
    if isinstance(kept.head, RegressionHead):
        tensors |= {"targets.mean": kept.head.mean, "targets.deviation": kept.head.deviation}
    if kept.components is not None:
        tensors |= {"components.mean": kept.components.mean, "components.axes": kept.components.axes}
    numbers = {name: torch.as_tensor(value).contiguous().clone() for name, value in tensors.items()}
    with replacing(folder / WEIGHTS) as fresh:
        save_file(numbers, fresh)
    settings = {"plan": asdict(kept.bank.plan), "fitted_on": kept.fitted_on, "threads": kept.threads}
    write_atomic(folder / SETTINGS, json.dumps(settings, indent=1, sort_keys=True) + "\n")


def load(folder: Path, run: Run) -> FittedBank:
    """What was saved.

    Raises:
        BadInput: files that are missing or damaged.
    """
    state = read_state(folder / WEIGHTS)
    try:
        settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        plan = Architecture(**settings["plan"])
        bank = Bank(plan, state["networks"])
        bank.running = Running(state["running.mean"], state["running.variance"])
        images, table = state["train.images"], state["train.table"]
        no_targets = torch.empty(len(bank.weights), table.shape[1], 0, dtype=table.dtype)
        return FittedBank(
            bank,
            _read_head(state, run.task),
            SampleGroups(images, table, no_targets),
            _read_ranges(state, "image"),
            _read_ranges(state, "table"),
            None if plan.convolution else _read_components(state),
            str(settings["fitted_on"]),
            min(int(settings["threads"]), run.threads),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{folder} cannot be read ({error})", allowed=ALLOWED) from None


def _ranges(name: str, ranges: Ranges) -> dict[str, Any]:
    return {f"{name}.low": ranges.low, f"{name}.high": ranges.high}


def _read_ranges(state: dict[str, torch.Tensor], name: str) -> Ranges:
    return Ranges(state[f"{name}.low"].numpy(), state[f"{name}.high"].numpy())


def _read_components(state: dict[str, torch.Tensor]) -> Components:
    return Components(state["components.mean"].numpy(), state["components.axes"].numpy())


def _read_head(state: dict[str, torch.Tensor], task: Task) -> Head:
    if task.kind == "regression":
        return RegressionHead(state["targets.mean"].numpy(), state["targets.deviation"].numpy())
    return ClassHead(task)
