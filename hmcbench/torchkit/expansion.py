"""Category expansion: warm start of a network in a larger hierarchy.

Han et al., Scientific Reports 15, 19904 (2025), claim that their network "supports category expansion
within and between hierarchies" and do not say how. Here: new classes within a level, and new
levels above, below or between. All weights that do not depend on the hierarchy are copied, and

* the logits of old classes do not change, for any image. In a softmax over a level the ratios of
  their probabilities do not change either;
* a new class on an old level starts as the mean of its old siblings (of its level, where it has
  none), lowered by :data:`MARGIN`. A mean is never above the highest, so it is never the argmax:
  the raw decisions at that level do not change;
* a class of a new level starts as its nearest old ancestor, or else as the mean of its nearest old
  descendants, or else with random weights;
* where the features of all levels are concatenated, those of a new level enter old and new
  classifiers with weight zero;
* where an end of a path gets classes below it (heads over leaves), each of these starts with its
  row, lowered by the log of their number, so that their probabilities sum to that of the end.

Parts of a network whose shape depends on the hierarchy implement :class:`Growing`. Between two taxonomies
without a common end of a path all but the heads of the network is taken over (:func:`take_body`).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from hmcbench.errors import BadInput
from hmcbench.interfaces import Task
from hmcbench.torchkit.freezing import Partly

if TYPE_CHECKING:
    from hmcbench.hierarchy.hierarchy import Hierarchy

MARGIN = 1.0
"""How far a new class starts below the mean of its siblings, in units of the logit."""

State = Mapping[str, Tensor]
OutputRow = tuple[int, str]
"""The meaning of one output: its level (from 0) and class id; the id is empty for ``stop``."""


@runtime_checkable
class Growing(Protocol):
    """A part of a network whose shape depends on the hierarchy.

    Attributes:
        level_features: name of its ``nn.ModuleList`` with one module per level, whose concatenated
            outputs (equally wide) are the input of every layer of ``output_rows``; "" without one.
    """

    level_features: str

    def output_rows(self, task: Task) -> Mapping[str, Sequence[OutputRow]]:
        """For each of its ``nn.Linear`` layers, by name, the meaning of its rows in that task.

        :func:`hmcbench.torchkit.layout.level_rows` returns them for layers per level.
        """
        ...


@torch.no_grad()
def expand(module: nn.Module, state: State, old: Task, new: Task) -> None:
    """Fill ``module``, built for the task ``new``, from the weights of the same network for ``old``.

    Args:
        module: freshly built; a new class without an old relative keeps its random weights.
        state: ``state_dict()`` of the network trained on ``old``.
        old, new: hierarchies with the same kind of paths; ``new`` has every class of ``old``
            (ids are matched by :meth:`Growth.between`).

    Raises:
        BadInput: a class is missing, a level is split, or the weights are of another network.
    """
    growth = Growth.between(old, new)
    filled: dict[str, Tensor] = {}
    used: set[str] = set()
    for path, part in module.named_modules():
        if isinstance(part, Growing):
            prefix = f"{path}." if path else ""
            own = {name.removeprefix(prefix): x for name, x in state.items() if name.startswith(prefix)}
            grown, read = _grow(part, own, growth)
            filled |= {prefix + name: value for name, value in grown.items()}
            used |= {prefix + name for name in read}
    if not used and old.hierarchy != new.hierarchy:
        raise BadInput(
            "this network cannot be expanded: it does not list the classes of its outputs",
            allowed="heads levels and leaf of timm, the HFF family, a torchkit.expansion.Growing",
        )
    unchanged = {name: value for name, value in state.items() if name not in used}
    _copy(module.state_dict(), filled | unchanged)


def is_other_taxonomy(old: Task, new: Task) -> bool:
    """Whether no end of a path of ``old`` is a class of ``new``; a regression has a taxonomy of its own."""
    if old.hierarchy is None or new.hierarchy is None:
        return True
    before, after = old.hierarchy, new.hierarchy
    return not any(_new_id(before.classes[leaf], after) for leaf in before.leaves)


@torch.no_grad()
def take_body(module: nn.Module, state: State) -> str:
    """Fill a network but for its heads from the weights of another one; the heads keep their random weights.

    Args:
        module: freshly built; says what its heads are (:class:`hmcbench.torchkit.freezing.Partly`). What
            stands before the body, such as the embedding of patches, is taken over with it.
        state: ``state_dict()`` of the same kind of network, for any task.

    Returns:
        What was filled: the name of the body, or "all but" the names of the heads.

    Raises:
        BadInput: a network that does not say what its body is, or parts of other names or sizes.
    """
    if not isinstance(module, Partly):
        raise BadInput(
            f"{type(module).__name__} does not say what its body is: only more classes are possible"
        )
    heads, body = module.parts()
    paths = {part: path for path, part in module.named_modules()}
    new = tuple(f"{paths[head]}." for head in heads)
    target, taken = (
        {name: value for name, value in tensors.items() if not name.startswith(new)}
        for tensors in (module.state_dict(), state)
    )
    _copy(target, taken)
    alone = all(name.startswith(f"{paths[body]}.") for name in taken)
    return paths[body] if alone else f"all but {', '.join(paths[head] for head in heads)}"


def _copy(target: State, values: State) -> None:
    """Copy tensors to those of the same names; raises BadInput where names or sizes differ."""
    for name in sorted(values.keys() ^ target.keys()):
        place = "there only" if name in values else "not there"
        raise BadInput(f"these are weights of another network ({name} is {place})")
    for name, value in values.items():
        if target[name].shape != value.shape:
            raise BadInput(
                f"these are weights of a network of other sizes: {name} has shape"
                f" {tuple(value.shape)}, {tuple(target[name].shape)} is needed"
            )
        target[name].copy_(value)


def _grow(part: Growing, state: State, growth: Growth) -> tuple[dict[str, Tensor], set[str]]:
    """New tensors of a part by name, and the names of the old ones that were used."""
    assert isinstance(part, nn.Module)
    grown: dict[str, Tensor] = {}
    read: set[str] = set()
    if part.level_features:
        for j, k in enumerate(growth.levels):
            for name in [n for n in state if n.startswith(f"{part.level_features}.{j}.")]:
                grown[name.replace(f".{j}.", f".{k}.", 1)] = state[name]
                read.add(name)
        for k in set(range(growth.depth)) - set(growth.levels):  # random weights
            fresh = part.get_submodule(f"{part.level_features}.{k}").state_dict()
            grown |= {f"{part.level_features}.{k}.{name}": value for name, value in fresh.items()}
    known: dict[OutputRow, Tensor] = {}
    for layer, rows in part.output_rows(growth.old).items():
        names = [f"{layer}.weight", f"{layer}.bias"]
        if not all(name in state and len(state[name]) == len(rows) for name in names):
            raise BadInput(f"these are weights of another network ({layer} has not {len(rows)} rows)")
        weight, bias = (state[name].float() for name in names)
        weight = _columns(weight, growth) if part.level_features else weight
        known |= dict(zip(map(growth.row, rows), torch.cat([weight, bias[:, None]], dim=1), strict=True))
        read.update(names)
    layers = part.output_rows(growth.new)
    lost = known.keys() - {row for rows in layers.values() for row in rows}
    for layer, rows in layers.items():
        drawn = part.get_submodule(layer).state_dict()
        start = torch.cat([drawn["weight"], drawn["bias"][:, None]], dim=1)
        filled = [
            known[row] if row in known else _new_row(row, rows, known, lost, growth, start[i])
            for i, row in enumerate(rows)
        ]
        table = torch.stack(filled)
        grown |= {f"{layer}.weight": table[:, :-1], f"{layer}.bias": table[:, -1]}
    return grown, read


def _columns(weight: Tensor, growth: Growth) -> Tensor:
    """(n, old levels * d) -> (n, new levels * d): columns of old levels at their new places, else zeros."""
    blocks = weight.reshape(len(weight), len(growth.levels), -1)
    placed = weight.new_zeros(len(weight), growth.depth, blocks.shape[2])
    placed[:, list(growth.levels)] = blocks
    return placed.flatten(1)


def _new_row(
    row: OutputRow,
    rows: Sequence[OutputRow],
    known: Mapping[OutputRow, Tensor],
    lost: set[OutputRow],
    growth: Growth,
    drawn: Tensor,
) -> Tensor:
    """Weights and bias, concatenated, of a row that the old network did not have (see the module)."""
    former_ends = growth.nearest_ancestors(row, lost)
    if former_ends:
        successors = sum(growth.is_below(other, former_ends[0]) for other in rows)
        return _lowered(_mean(known, former_ends), math.log(successors))
    old_rows = [other for other in rows if other in known]
    if old_rows:
        siblings = [other for other in old_rows if growth.are_siblings(other, row)]
        return _lowered(_mean(known, siblings or old_rows), MARGIN)
    relatives = growth.nearest_ancestors(row, known) or growth.nearest_descendants(row, known)
    return _mean(known, relatives) if relatives else drawn


def _mean(known: Mapping[OutputRow, Tensor], rows: Sequence[OutputRow]) -> Tensor:
    return torch.stack([known[row] for row in rows]).mean(dim=0)


def _lowered(row: Tensor, by: float) -> Tensor:
    """The row with its bias, the last number, lowered."""
    return torch.cat([row[:-1], row[-1:] - by])


@dataclass(frozen=True)
class Growth:
    """A hierarchy and a larger one; see :meth:`between`.

    Attributes:
        old, new: the tasks.
        names: old class id -> new class id.
        levels: for every old level its position among the new ones, from 0.
    """

    old: Task
    new: Task
    names: Mapping[str, str]
    levels: tuple[int, ...]

    @classmethod
    def between(cls, old: Task, new: Task) -> Growth:
        """Match classes by id; where ids are paths, a new level above lengthens them at the front.

        Raises:
            BadInput: a task has no hierarchy, the kinds of paths differ, an old class is missing, or
                classes of one old level are on several new ones.
        """
        before, after = old.hierarchy, new.hierarchy
        if before is None or after is None:
            raise BadInput("only tasks with a hierarchy can be expanded")
        if old.paths != new.paths:
            raise BadInput(f"it was trained for {old.paths} label paths, the data have {new.paths}")
        names = {name: _new_id(name, after) for name in before.classes}
        absent = [name for name, new_id in names.items() if not new_id]
        if absent:
            more = ", ..." if len(absent) > 4 else ""
            raise BadInput(
                f"the new hierarchy lacks {len(absent)} of its classes: {', '.join(absent[:4])}{more}",
                allowed="a hierarchy with every old class and any number of new ones",
            )
        levels: list[int] = []
        for k in range(1, before.depth + 1):
            places = {
                int(after.levels[after.index(names[before.classes[c]])]) for c in before.level_classes(k)
            }
            if len(places) > 1 or (levels and min(places) <= levels[-1] + 1):
                raise BadInput(
                    f"classes of level {k} are on the levels {', '.join(map(str, sorted(places)))} of the"
                    " new hierarchy",
                    allowed="levels that stay together and in order",
                )
            levels.append(places.pop() - 1)
        return cls(old, new, names, tuple(levels))

    @property
    def depth(self) -> int:
        """Levels of the new hierarchy."""
        return self._hierarchy.depth

    def row(self, old: OutputRow) -> OutputRow:
        """The new row of an old output."""
        level, name = old
        return self.levels[level], self.names[name] if name else ""

    def is_below(self, row: OutputRow, above: OutputRow) -> bool:
        """Whether one class of the new hierarchy is a proper descendant of another."""
        if not row[1] or not above[1] or row == above:
            return False
        index = self._hierarchy.index
        return bool(self._hierarchy.ancestors[[index(row[1])], [index(above[1])]][0])

    def are_siblings(self, first: OutputRow, second: OutputRow) -> bool:
        """Whether two classes of the new hierarchy share a parent (the root counts as one)."""
        if not first[1] or not second[1]:
            return False
        parents, others = (set(self._hierarchy.parents(row[1])) for row in (first, second))
        return bool(parents & others) or parents == others == set()

    def nearest_ancestors(self, row: OutputRow, among: Collection[OutputRow]) -> list[OutputRow]:
        """The deepest ancestors of a class; empty if there is none."""
        above = [other for other in among if self.is_below(row, other)]
        return sorted(other for other in above if other[0] == max(level for level, _ in above))

    def nearest_descendants(self, row: OutputRow, among: Collection[OutputRow]) -> list[OutputRow]:
        """The highest descendants of a class; empty if there is none."""
        below = [other for other in among if self.is_below(other, row)]
        return sorted(other for other in below if other[0] == min(level for level, _ in below))

    @property
    def _hierarchy(self) -> Hierarchy:
        assert self.new.hierarchy is not None  # checked by between
        return self.new.hierarchy


def _new_id(name: str, hierarchy: Hierarchy) -> str:
    """The id of an old class in the new hierarchy; empty if there is none, or several are possible."""
    if name in hierarchy or not hierarchy.path_ids:
        return name if name in hierarchy else ""
    longer = [other for other in hierarchy.classes if other.endswith(f"/{name}")]
    return longer[0] if len(longer) == 1 else ""
