"""How a network computes: number format, threads, memory layout, images per pass.

What is fastest depends on the network, the image size, the batch and the processor: a few training steps of
each are timed before a training on a CPU, and the choice is kept in the cache folder, so that later trainings
on this machine make the same one. Weights, random numbers and the order of samples do not depend on it.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from torch import nn

from hmcbench.files import OtherWork, cache_dir, processor_name, write_atomic
from hmcbench.interfaces import Value
from hmcbench.torchkit.device import autocast, has_bfloat16, reliable_precision, usual_precision
from hmcbench.torchkit.first_size import shapes_of
from hmcbench.torchkit.freezing import training_mode
from hmcbench.torchkit.layout import Masked
from hmcbench.torchkit.recipes import Recipe

FEWEST_STEPS = 300
"""Trainings of fewer steps are not measured: it would cost more than it gains."""
MARGIN = 1.1
"""How much faster a rival must be: near ties should not be decided by noise."""
TIMED_STEPS = 3
HOPELESS = 2.0
"""A rival whose first step takes so many times as long as the best is not timed again."""
DISTURBED = 0.3
"""Cores that other programs keep busy meanwhile, above which a choice is not kept."""
LAYOUTS = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}
NORMS_OF_A_BATCH = (nn.modules.batchnorm._BatchNorm,)


@dataclass(frozen=True)
class Computation:
    """Settings that change the speed of a training, and its numbers by rounding only.

    Attributes:
        precision: ``float32`` or ``bfloat16`` (of matrix products and convolutions, by autocast).
        threads: of torch.
        layout: of images and weights in memory, a key of :data:`LAYOUTS`.
        images_per_pass: the gradients of a batch are summed over passes of so many images.
    """

    precision: str
    threads: int
    layout: str
    images_per_pass: int

    def facts(self, batch_size: int) -> dict[str, Value]:
        """For the record of a training."""
        values: dict[str, Value] = asdict(self)
        if self.images_per_pass >= batch_size:
            del values["images_per_pass"]
        return values

    def arranged(self, images: torch.Tensor) -> torch.Tensor:
        """The images (B, C, H, W) in this layout."""
        return images.contiguous(memory_format=LAYOUTS[self.layout])

    def prepare(self, module: nn.Module) -> nn.Module:
        """The module with its weights in this layout; sets the threads of torch."""
        torch.set_num_threads(self.threads)
        return module.to(memory_format=LAYOUTS[self.layout])

    def autocast(self, device: torch.device) -> AbstractContextManager[Any]:
        return autocast(device, self.precision)


def usual(module: nn.Module, recipe: Recipe, device: torch.device, threads: int) -> Computation:
    """The choice without a measurement: all threads, and bfloat16 where the device has units for it.

    Args:
        recipe: whose precision the device can be relied on for.
    """
    precision = usual_precision(device, module) if recipe.precision == "auto" else recipe.precision
    return Computation(precision, threads, "channels_last", recipe.batch_size)


def _reliable(recipe: Recipe, module: nn.Module, shape: tuple[int, ...], device: torch.device) -> Recipe:
    precision = reliable_precision(recipe.precision, module, shapes_of(shape, recipe), device)
    return replace(recipe, precision=precision)


def as_before(
    values: Mapping[str, Any],
    module: nn.Module,
    shape: tuple[int, ...],
    recipe: Recipe,
    device: torch.device,
    threads: int,
) -> Computation:
    """By the facts of an earlier training; :func:`usual` in what they lack.

    A format that this device would only emulate is not taken over unless the recipe wants it, and bfloat16
    not where it cannot be relied on.

    Args:
        shape: (channels, H, W) of an image.
    """
    recipe = _reliable(recipe, module, shape, device)
    start = usual(module, recipe, device, threads)
    earlier = _with(start, values)
    if recipe.precision != "auto" or not has_bfloat16(device.type):
        earlier = replace(earlier, precision=start.precision)
    return earlier


def _with(start: Computation, values: Mapping[str, Any]) -> Computation:
    names = [name for name in asdict(start) if name in values]
    return replace(start, **{name: type(getattr(start, name))(values[name]) for name in names})


def choose(
    module: nn.Module,
    shape: tuple[int, ...],
    recipe: Recipe,
    device: torch.device,
    *,
    threads: int,
    steps: int,
) -> Computation:
    """The kept choice for this network, image size, batch and processor, else measured now and kept.

    Args:
        module: on the device; unchanged.
        shape: (channels, H, W) of an image.
        threads: the most that may be used.
        steps: of the whole training. Below :data:`FEWEST_STEPS`, on a GPU, and under ``torch.compile`` the
            choice is :func:`usual`.
    """
    recipe = _reliable(recipe, module, shape, device)
    start = usual(module, recipe, device, threads)
    if device.type != "cpu" or recipe.compile == "on" or steps < FEWEST_STEPS:
        return start
    path = _path(module, shape, recipe, threads)
    kept = _kept(path, start)
    if kept is not None:
        return kept
    others = OtherWork()
    chosen, rates = measure(module, shape, start, recipe)
    if others.busy_cores() > DISTURBED:
        return chosen  # right for now, but not for later
    kept = _kept(path, start)  # of another training, which was faster
    if kept is not None:
        return kept
    content = {"chosen": asdict(chosen), "images_per_second": rates, "processor": processor_name()}
    with suppress(OSError):  # a full disk: the training goes on
        write_atomic(path, json.dumps(content, indent=1) + "\n")
    return chosen


def _path(module: nn.Module, shape: tuple[int, ...], recipe: Recipe, threads: int) -> Path:
    """The file of a choice: its name stands for all that the choice may depend on."""
    parts = [
        *(f"{name} {tuple(p.shape)} {p.requires_grad}" for name, p in module.named_parameters()),
        re.sub(r" at 0x\w+", "", str(module)),
        f"{shape} {recipe.batch_size} {recipe.precision} {threads}",
        f"{processor_name()} {os.cpu_count()} {torch.backends.cpu.get_cpu_capability()} {torch.__version__}",
    ]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]
    return cache_dir("computing") / f"{digest}.json"


def _kept(path: Path, start: Computation) -> Computation | None:
    try:
        return _with(start, json.loads(path.read_text(encoding="utf-8"))["chosen"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def rivals(module: nn.Module, start: Computation, recipe: Recipe) -> Iterator[tuple[str, list[Any]]]:
    """What is tried, one setting after another: its name and its values.

    Threads come last: beside other programs two of them are slow, whatever the other settings. Passes are
    not tried with norms over a batch, whose statistics they would change.
    """
    if recipe.precision == "auto" and has_bfloat16("cpu"):
        yield "precision", ["float32", "bfloat16"]
    yield "layout", list(LAYOUTS)
    if not any(isinstance(m, NORMS_OF_A_BATCH) for m in module.modules()):
        yield "images_per_pass", [n for n in (recipe.batch_size // 2, recipe.batch_size // 4) if n >= 4]
    yield "threads", [start.threads >> k for k in range(start.threads.bit_length() - 1)]


def measure(
    module: nn.Module, shape: tuple[int, ...], start: Computation, recipe: Recipe
) -> tuple[Computation, dict[str, float]]:
    """Time a few steps of every rival; the fastest by :data:`MARGIN`, and images per second of each.

    Begins with one thread, and takes more where they are faster by the same margin.
    """
    rates: dict[str, float] = {}
    with _undisturbed():
        steps = TrialSteps(module, shape, recipe.batch_size)
        best = replace(start, threads=1)
        best_s = steps.seconds(best)
        for name, values in rivals(module, start, recipe):
            fastest, fastest_s = best, best_s / MARGIN
            for value in values:
                rival = replace(best, **{name: value})
                if rival == best:
                    continue
                seconds = steps.seconds(rival, limit=HOPELESS * best_s)
                best_s = min(best_s, steps.seconds(best, timed=1))  # other programs come and go
                rates[_name(rival)] = round(recipe.batch_size / seconds, 1)
                if seconds < min(fastest_s, best_s / MARGIN):
                    fastest, fastest_s = rival, seconds
            rates[_name(best)] = round(recipe.batch_size / best_s, 1)
            if fastest is not best:
                best, best_s = fastest, fastest_s
    return best, rates


def _name(computation: Computation) -> str:
    return " ".join(map(str, asdict(computation).values()))


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Restores torch's random numbers and threads."""
    threads = torch.get_num_threads()
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        torch.set_num_threads(threads)


class TrialSteps:
    """Forward and backward passes of a copy of a network over one batch of noise, timed.

    Args:
        module: the network; unchanged.
        shape: (channels, H, W).
        clock: returns seconds.
    """

    def __init__(
        self,
        module: nn.Module,
        shape: tuple[int, ...],
        batch_size: int,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.module, self.clock = copy.deepcopy(module), clock
        self.images = torch.randn(batch_size, *shape)
        self.warm: set[Computation] = set()
        training_mode(self.module)

    def seconds(self, computation: Computation, timed: int = TIMED_STEPS, limit: float = math.inf) -> float:
        """The shortest of a few steps, up to one above the limit; the first of all is not timed."""
        module = computation.prepare(self.module)
        images = computation.arranged(self.images)
        if computation not in self.warm:
            self._step(module, images, computation)
            self.warm.add(computation)
        shortest = math.inf
        for _ in range(timed):
            began = self.clock()
            self._step(module, images, computation)
            shortest = min(shortest, self.clock() - began)
            if shortest > limit:
                break
        return shortest

    def _step(self, module: nn.Module, images: torch.Tensor, computation: Computation) -> None:
        module.zero_grad(set_to_none=True)
        for piece in images.split(computation.images_per_pass):
            with computation.autocast(images.device):
                output = module(piece)
            if isinstance(output, Masked):  # what the loss of such a network works on
                output = output.highest()
            levels = [output] if isinstance(output, torch.Tensor) else output
            torch.stack([level.float().square().mean() for level in levels]).sum().backward()
