"""Networks on vectors as models of the benchmark; several seeds of one network are trained as one."""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from hmcbench.errors import BadInput, PluginError
from hmcbench.files import write_atomic
from hmcbench.interfaces import Fit, Inputs, Labelled, Run, Scores, Task, Value
from hmcbench.metrics.base import is_rounding
from hmcbench.torchkit import weights
from hmcbench.torchkit.measure import count_parameters
from hmcbench_hmc.models import SMALL_BATCH
from hmcbench_hmc.models.layers import VectorNetwork, member, stacked, units_left_out
from hmcbench_hmc.models.training import VectorRecipe, VectorSamples, scores, train

Build = Callable[..., VectorNetwork]
"""``build(task, inputs, **architecture)``: a network for ``inputs`` features."""
TOGETHER = 2_500_000
"""Parameters of all networks that are trained as one, in batches of at most ``SMALL_BATCH``. In small
batches a step is a matter of its many short operations, which all networks share; beyond this, their weights
leave the cache at every step, and one after another is faster. docs/performance.md has the measurements."""


class Scaler:
    """Columns brought to mean 0 and deviation 1 of the training samples; missing values become 0, the mean.

    A constant column becomes 0, also one that is constant but for rounding. As
    ``sklearn.preprocessing.StandardScaler``, with the two lines that missing values ask for.
    """

    def __init__(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        self.mean, self.deviation = mean, deviation

    @classmethod
    def of(cls, rows: np.ndarray) -> Scaler:
        """Rows float (N, F), N >= 1."""
        known = np.isfinite(rows)
        count = np.maximum(1, known.sum(axis=0))
        mean = np.where(known, rows, 0.0).sum(axis=0) / count
        variance = np.where(known, (rows - mean) ** 2, 0.0).sum(axis=0) / count
        return cls(mean, np.where(is_rounding(variance, mean, count), 1.0, np.sqrt(variance)))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Float32 (N, F)."""
        scaled = (rows - self.mean) / self.deviation
        result: np.ndarray = np.where(np.isfinite(scaled), scaled, 0.0).astype(np.float32)
        return result


class VectorModel:
    """Implements :class:`hmcbench.interfaces.Model`: scaled columns, a network, a score per class.

    Args:
        build: makes the network.
        architecture: keywords of ``build``.
        recipe: how it is trained.
        members: networks that differ in their seed; their mean is the prediction.
        mc_dropout: passes with units left out, whose mean it is; 0: none is left out.
        view: the view it reads; rows are flattened.

    Attributes:
        network: the trained network, with its members.
    """

    def __init__(
        self,
        build: Build,
        architecture: Mapping[str, Any],
        recipe: VectorRecipe,
        *,
        members: int = 1,
        mc_dropout: int = 0,
        view: str = "table",
    ) -> None:
        self.build, self.architecture, self.recipe = build, dict(architecture), recipe
        self.members, self.mc_dropout, self.view = members, mc_dropout, view
        self.network: VectorNetwork = VectorNetwork()
        self._epochs: list[int] = []
        self._threads, self._device = 1, torch.device("cpu")

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """Train; without validation samples, or with ``patience = 0``, for all epochs."""
        (error,) = fit_many([Fit(self, train, valid, run)])
        if error is not None:
            raise error

    def refit(self, train: Labelled, run: Run) -> None:
        """Train anew on ``train`` for as many epochs as ``fit`` kept (the mean over members)."""
        kept = round(float(np.mean(self._epochs)))
        _train_all([Fit(self, train, nothing_of(train), run)], max(1, kept))

    def predict(self, inputs: Inputs) -> Scores:
        """The mean of the members' scores, and of all passes with units left out, float32 (N, C)."""
        torch.set_num_threads(self._threads)
        x = torch.as_tensor(self._scaler(self.rows(inputs)), device=self._device)
        if not self.mc_dropout:
            members = scores(self.network, x)
        else:
            drawn = []
            for number in range(1, self.mc_dropout + 1):
                with units_left_out(self.network, number):
                    drawn.append(scores(self.network, x))
            members = torch.cat(drawn)
        values = members.mean(0).cpu().numpy()
        passes = [Scores(part) for part in members.cpu().numpy()] if len(members) > 1 else []
        return Scores(values, passes=passes)

    def rows(self, inputs: Inputs) -> np.ndarray:
        """The view as float64 (N, F)."""
        rows = np.asarray(inputs.views[self.view], dtype=np.float64)
        return rows.reshape(len(rows), int(np.prod(rows.shape[1:])))

    def describe(self) -> Mapping[str, Value]:
        """Parameters of all members, their number, and the epochs whose weights they have."""
        parameters = count_parameters(self.network)
        epochs = round(float(np.mean(self._epochs)), 2)
        return {"parameters": parameters, "networks": self.members, "epoch_used": epochs}

    def save(self, folder: Path) -> None:
        """Writes ``weights.safetensors``, and ``model.json`` with the scaling of the columns."""
        weights.save_module(self.network, folder / weights.WEIGHTS)
        settings = {
            "mean": self._scaler.mean.tolist(),
            "deviation": self._scaler.deviation.tolist(),
            "epochs": self._epochs,
            "threads": self._threads,
        }
        write_atomic(folder / weights.SETTINGS, json.dumps(settings, sort_keys=True) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Takes the place of ``fit``; raises BadInput for files that are damaged or of another network."""
        path = folder / weights.SETTINGS
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            mean, deviation = (np.array(settings[name], dtype=np.float64) for name in ("mean", "deviation"))
            self._epochs = [int(epoch) for epoch in settings["epochs"]]
            threads = int(settings["threads"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{path} cannot be read ({error})", allowed=weights.ALLOWED) from None
        self._scaler = Scaler(mean, deviation)
        self._threads, self._device = min(threads, run.threads), torch.device(run.device)
        network = self.initial(run.task, len(mean), [0] * self.members)
        weights.load_module(network, folder / weights.WEIGHTS)
        self.network = network.to(self._device).eval()

    # ------------------------------------------------------------------ for hmcbench export-model

    @property
    def views(self) -> Sequence[str]:
        """The view that it reads."""
        return (self.view,)

    @property
    def width(self) -> int:
        """Columns of the view."""
        return len(self._scaler.mean)

    def write_onnx(self, graph: Any, task: Task) -> dict[str, str]:
        """The scaler and the network as operations; see :class:`hmcbench.interfaces.Model`.

        Raises:
            BadInput: a network that predicts with units left out.
        """
        if self.mc_dropout:
            what = "a network that predicts with units left out cannot be exported"
            raise BadInput(what, allowed="mc_dropout=0")
        import onnx

        from hmcbench.torchkit.onnx_file import export_module

        mean, deviation = self._scaler.mean, self._scaler.deviation
        for side in (-deviation, 0 * deviation, deviation):
            graph.tell_apart(range(self.width), mean + side)
        scaled = graph.scaled(graph.cast(graph.features, np.float64), mean, deviation)
        unknown = graph.op("Or", graph.op("IsNaN", scaled), graph.op("IsInf", scaled))
        scaled = graph.cast(graph.op("Where", unknown, graph.double(0.0), scaled))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "network.onnx")
            export_module(_MeanOfMembers(self.network).cpu(), torch.zeros(3, self.width), path)
            return {"scores": graph.embed(onnx.load(path), scaled)}

    # ------------------------------------------------------------------ used by fit_many

    def seeds(self, run: Run) -> list[int]:
        """The seeds of the members; the first is the run's."""
        return [run.seed + 1_000_003 * k for k in range(self.members)]

    def initial(self, task: Task, inputs: int, seeds: Sequence[int]) -> VectorNetwork:
        """Untrained networks, stacked; the weights of each come from its seed."""
        networks = []
        for seed in seeds:
            torch.manual_seed(seed)
            networks.append(self.build(task, inputs, **self.architecture))
        return stacked(networks) if len(networks) > 1 else networks[0]

    def prepare(self, train: Labelled, valid: Labelled, run: Run) -> tuple[VectorSamples, VectorSamples]:
        """Scale the columns and move both partitions to the run's device."""
        self._threads, self._device = run.threads, torch.device(run.device)
        self._scaler = Scaler.of(self.rows(train))
        return self._samples(train), self._samples(valid)

    def _samples(self, samples: Labelled) -> VectorSamples:
        x = torch.as_tensor(self._scaler(self.rows(samples)), device=self._device)
        return VectorSamples(x, torch.as_tensor(samples.dense_targets.astype(bool), device=self._device))

    def take(self, network: VectorNetwork, epochs: Sequence[int]) -> None:
        """The trained members of this model."""
        self.network, self._epochs = network.eval(), list(epochs)


class _MeanOfMembers(nn.Module):
    """Scaled columns (N, F) -> the mean of the members' scores, (N, C)."""

    def __init__(self, network: VectorNetwork) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        members = len(next(self.network.parameters()))
        return self.network.probabilities(x.expand(members, -1, -1)).mean(0)


def network_model(build: Build, params: dict[str, Any]) -> VectorModel:
    """The model of a network from the parameters of its spec: recipe, members, and those of ``build``."""
    architecture = dict(params)
    members, mc_dropout = architecture.pop("members"), architecture.pop("mc_dropout", 0)
    recipe = VectorRecipe.taken_from(architecture)
    return VectorModel(build, architecture, recipe, members=members, mc_dropout=mc_dropout)


def nothing_of(samples: Labelled) -> Labelled:
    """The same views and classes without any sample."""
    views = {name: np.asarray(view)[:0] for name, view in samples.views.items()}
    return Labelled([], views, samples.targets[:0])


def fit_many(fits: Sequence[Fit]) -> list[Exception | None]:
    """Fit all models (``ModelSpec.fit_many``): small ones together, larger ones one after another.

    Networks that differ in their seed alone are trained as one where :func:`together` says so.
    """
    outcomes: list[Exception | None] = [None] * len(fits)
    for positions in _groups(fits):
        error = _outcome([fits[i] for i in positions])
        for i in positions:  # one bad fit leaves the others alone
            outcomes[i] = error if len(positions) == 1 or error is None else _outcome([fits[i]])
    return outcomes


def _outcome(fits: Sequence[Fit]) -> Exception | None:
    try:
        _train_all(fits)
    except Exception as error:
        return error
    return None


def _groups(fits: Sequence[Fit]) -> list[list[int]]:
    """Positions of fits with one network, recipe and data."""
    groups: dict[Any, list[int]] = {}
    for i, fit in enumerate(fits):
        model, run = fit.model, fit.run
        settings = [model.build, model.architecture, model.recipe, model.members, model.view, run.device]
        key = repr(settings), run.threads, _identity(fit.train), _identity(fit.valid)
        groups.setdefault(key, []).append(i)
    return [list(group) for group in groups.values()]


def _identity(samples: Labelled) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    """What tells the samples of two fits apart: those with the same ids may have other labels, wrong ones."""
    targets = samples.dense_targets
    digest = hashlib.sha256(np.packbits(targets.astype(bool)).tobytes()).hexdigest()
    return tuple(samples.ids), targets.shape, digest


def together(network: VectorNetwork, recipe: VectorRecipe) -> int:
    """How many of these networks are trained as one: 1 where one after another is as fast."""
    if recipe.batch_size > SMALL_BATCH:
        return 1
    return max(1, TOGETHER // max(1, count_parameters(network)))


def _train_all(fits: Sequence[Fit], last_epoch: int = 0) -> None:
    """Train the members of models of one network and of the same data.

    Args:
        last_epoch: see :func:`hmcbench_hmc.models.training.train`.
    """
    model, run = fits[0].model, fits[0].run
    if not len(fits[0].train):
        raise PluginError("there are no training samples", allowed="at least one")
    torch.set_num_threads(run.threads)
    for fit in fits:
        train_samples, valid_samples = fit.model.prepare(fit.train, fit.valid, fit.run)
    inputs = train_samples.x.shape[1]
    members = [(fit, seed) for fit in fits for seed in fit.model.seeds(fit.run)]
    trained: list[tuple[VectorNetwork, int]] = []
    with generators_kept():
        alone = model.initial(run.task, inputs, [0])
        step = together(alone, model.recipe)
        for start in range(0, len(members), step):
            part = members[start : start + step]
            seeds = [seed for _fit, seed in part]
            network = model.initial(run.task, inputs, seeds).to(train_samples.x.device)
            reports = [fit.run.report for fit, _seed in part]
            samples = train_samples, valid_samples
            epochs = train(network, *samples, model.recipe, seeds, reports, last_epoch=last_epoch)
            trained += [(member(network, i), epoch) for i, epoch in enumerate(epochs)]
    for fit in fits:
        own, trained = trained[: fit.model.members], trained[fit.model.members :]
        networks = [network for network, _epoch in own]
        fit.model.take(stacked(networks) if len(networks) > 1 else networks[0], [epoch for _, epoch in own])


@contextmanager
def generators_kept() -> Iterator[None]:
    """Seed torch's global generator inside; afterwards it continues as if nothing had been drawn."""
    state = torch.get_rng_state()
    try:
        yield
    finally:
        torch.set_rng_state(state)
