"""Computes a model's views from those of a dataset: chains of featurizers, cached on disk.

``pixels[size=64]`` means: run the featurizer ``pixels`` with that parameter on the view it names
as its source. Each array is a ``.npy`` memory map keyed by the data's fingerprint, the chain and
its versions; other models, seeds and runs reuse it. Beside it stands what it cost on which machine, so that a
cell that finds a view in the cache reports the same cost as the cell that computed it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hmcbench.errors import BadInput, NotApplicable, PluginError
from hmcbench.files import CACHE_VARIABLE, cache_dir, replacing, write_atomic
from hmcbench.interfaces import FeaturizerSpec, Value
from hmcbench.registry.registry import Registry, create, load_object, parse_reference, unmet_needs

if TYPE_CHECKING:
    import numpy as np

    from hmcbench.interfaces import Dataset

_PLACE = re.compile(r"\{(\w+)(?::([^}]*))?\}")
BLOCK = 64  # rows per call of a featurizer: enough to vectorise, little memory


@dataclass(frozen=True)
class Step:
    """One featurizer with its parameters."""

    spec: FeaturizerSpec
    params: Mapping[str, Value]
    origin: tuple[str, ...] = ()  # of its plugin: see Registry.origin

    def constants(self) -> tuple[str, str] | None:
        """Digest and origin of constants that the result depends on, beside version and parameters."""
        if not self.spec.digest:
            return None
        digest, origin = load_object(self.spec.digest)(**self.params)
        return digest, origin

    def __str__(self) -> str:
        inside = ",".join(f"{k}={v}" for k, v in self.params.items())
        return f"{self.spec.name}[{inside}]" if inside else self.spec.name


@dataclass(frozen=True)
class ViewPlan:
    """How one view is computed: from the dataset's view ``source`` by ``steps`` in order."""

    name: str
    source: str
    steps: tuple[Step, ...]

    def key(self, fingerprint: str) -> str:
        chain = [
            [s.spec.name, s.spec.version, dict(s.params), *(s.constants() or ())[:1], *s.origin]
            for s in self.steps
        ]
        text = json.dumps([fingerprint, self.source, chain], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def plan_views(
    registry: Registry, available: Sequence[str], wanted: Sequence[str], params: Mapping[str, Value]
) -> list[ViewPlan]:
    """Plans for the views that a model reads; raises NotApplicable with the reason if one is impossible.

    ``a+b`` stands for both views, ``a|b`` for the first of the two that is possible.
    """
    return [plan for text in wanted for plan in _first_choice(registry, available, fill(text, params))]


def _first_choice(registry: Registry, available: Sequence[str], text: str) -> list[ViewPlan]:
    """The views of the first possible alternative; raises the reason of the last one if none is."""
    *others, last = alternatives(text)
    for names in others:
        with suppress(NotApplicable):
            return [plan_view(registry, available, name, ()) for name in names]
    return [plan_view(registry, available, name, ()) for name in last]


def alternatives(text: str) -> list[list[str]]:
    """``table+descriptors|texture[size=64]`` -> ``[["table", "descriptors"], ["texture[size=64]"]]``."""
    outside = r"(?![^\[]*\])"  # not between brackets, where + and | belong to a value
    return [re.split(rf"\+{outside}", choice) for choice in re.split(rf"\|{outside}", text)]


def fill(template: str, params: Mapping[str, Value]) -> str:
    """Replace ``{name}`` by parameters; ``{name:O=table;E=table+descriptors}`` translates values."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in params:
            raise PluginError(f"view {template!r} names an unknown parameter {match[1]!r}")
        translations = dict(part.split("=", 1) for part in (match[2] or "").split(";") if part)
        text = str(params[match[1]])
        return translations.get(text, text)

    return _PLACE.sub(value, template)


def plan_view(registry: Registry, available: Sequence[str], text: str, above: tuple[str, ...]) -> ViewPlan:
    """Follow the sources of a view to a view of the dataset; ``above``: the views that need this one."""
    reference = parse_reference(text)
    if reference.name in available and not reference.params:
        return ViewPlan(reference.name, reference.name, ())
    if reference.name in above:
        raise PluginError(f"featurizers go round in a circle: {' <- '.join((*above, reference.name))}")
    names = {spec.name for spec in registry.specs("featurizers")}
    have = ", ".join(available) or "none"
    if reference.name not in names:
        raise NotApplicable(
            f"needs the view {reference.name!r}; the dataset has {have} and no featurizer makes it"
        )
    spec, params = registry.resolve("featurizers", reference)
    needs = unmet_needs(spec)
    if needs:
        raise NotApplicable(f"featurizer {spec.name} {needs}")
    below = plan_view(registry, available, fill(spec.source, params), (*above, reference.name))
    step = Step(spec, params, registry.origin("featurizers", spec.name))
    return ViewPlan(spec.name, below.source, (*below.steps, step))


def transformer(plan: ViewPlan) -> Callable[[Any], np.ndarray]:
    """The steps of a view as one function, for rows that are in no dataset; nothing is cached."""
    featurizers = [create(step.spec, step.params) for step in plan.steps]

    def transform(rows: Any) -> np.ndarray:
        import numpy as np

        for featurizer in featurizers:
            rows = np.asarray(featurizer.transform(rows))
        return np.asarray(rows)

    return transform


class Cost(NamedTuple):
    """What one step cost: seconds on the clock and of the processor."""

    seconds: float
    cpu_seconds: float


class ComputedView(NamedTuple):
    """A view and its cost.

    Attributes:
        rows: N rows.
        costs: cached file of a step -> what computing it cost, by whichever cell.
        computed: the steps among them that were not in the cache.
    """

    rows: Any
    costs: Mapping[Path, Cost]
    computed: Collection[Path]


def compute_view(plan: ViewPlan, dataset: Dataset, threads: int = 1, machine: str = "") -> ComputedView:
    """Compute a view, or read it from the cache.

    Args:
        threads: blocks of rows that are computed in parallel.
        machine: id of the hardware whose costs are wanted; a cached view without a cost on it is computed
            again. Empty: any cached view will do, and ``costs`` is empty.
    """
    rows: Any = dataset.views[plan.source]
    costs: dict[Path, Cost] = {}
    computed: set[Path] = set()
    for depth, step in enumerate(plan.steps, start=1):
        part = ViewPlan(step.spec.name, plan.source, plan.steps[:depth])
        path = cache_dir("views") / f"{step.spec.name}-{part.key(dataset.fingerprint)[:32]}.npy"
        cost, cached = _read_cost(path, machine), None
        if not machine or cost is not None:
            cached = _cached(path)
        if cached is None:
            cost = _fill_file(path, step, rows, threads, machine)
            computed.add(path)
            cached = _cached(path)
        if cached is None:
            raise BadInput(
                f"the view {path} cannot be read after it was written",
                hint=f"check the disk, or set {CACHE_VARIABLE} to a folder on another one",
            )
        if machine and cost is not None:
            costs[path] = cost
        rows = cached
    return ComputedView(rows, costs, computed)


def _cost_file(view: Path, machine: str) -> Path:
    return view.with_name(f"{view.stem}.{machine}.json")


def _read_cost(view: Path, machine: str) -> Cost | None:
    """The stored cost of a cached view on a machine; None if it is not known."""
    try:
        return Cost(**json.loads(_cost_file(view, machine).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _cached(path: Path) -> Any:
    """The rows of a cached view; None, and no file, where there is none or it is damaged.

    Raises:
        BadInput: the file cannot be opened, or a damaged one not be removed. It may be whole, so it stays.
    """
    import numpy as np

    try:
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError):  # it is cut short, by a full disk for example
            path.unlink(missing_ok=True)
    except FileNotFoundError:  # also where another process removed it
        pass
    except OSError as error:  # too many open files, a folder of another user, a broken disk
        raise BadInput(
            f"the view {path} cannot be read ({error.strerror or error})",
            hint=f"mend that, or set {CACHE_VARIABLE} to another folder",
        ) from None
    return None


def _fill_file(path: Path, step: Step, rows: Any, threads: int, machine: str) -> Cost:
    """Run one featurizer block by block into a new file; store and return what that cost.

    The file is written, not mapped: pages of a map that is being written would count as memory of the cell.
    """
    import numpy as np

    clock, cpu = time.perf_counter(), time.process_time()
    featurizer = create(step.spec, step.params)
    total = len(rows)

    def block(start: int) -> np.ndarray:
        stop = min(start + BLOCK, total)
        source = rows[start:stop] if isinstance(rows, np.ndarray) else [rows[i] for i in range(start, stop)]
        values = np.asarray(featurizer.transform(source))
        if len(values) != stop - start:
            raise PluginError(f"featurizer {step.spec.name} made {len(values)} rows of {stop - start}")
        return values

    with replacing(path) as temporary:
        first = block(0)
        with temporary.open("wb") as file, ThreadPoolExecutor(max(1, threads)) as pool:
            np.lib.format.write_array_header_1_0(file, _header(first, total, step))
            file.write(first.tobytes())
            for values in pool.map(block, range(len(first), total, BLOCK)):
                if values.shape[1:] != first.shape[1:]:
                    shapes = f"{first.shape[1:]}, then of {values.shape[1:]}"
                    raise PluginError(f"featurizer {step.spec.name} made rows of shape {shapes}")
                if not np.can_cast(values.dtype, first.dtype, "safe"):  # else numbers would be cut silently
                    types = f"{first.dtype}, then of {values.dtype}"
                    raise PluginError(f"featurizer {step.spec.name} made rows of type {types}")
                file.write(values.astype(first.dtype, copy=False).tobytes())
        cost = Cost(round(time.perf_counter() - clock, 6), round(time.process_time() - cpu, 6))
        if machine:  # first: a view with a cost is complete
            write_atomic(_cost_file(path, machine), json.dumps(cost._asdict()))
    return cost


def _header(first: np.ndarray, total: int, step: Step) -> dict[str, Any]:
    """The header of a ``.npy`` file of ``total`` rows like those of the first block."""
    import numpy as np

    if first.dtype.hasobject:
        raise PluginError(f"featurizer {step.spec.name} made rows of objects, not of numbers")
    descr = np.lib.format.dtype_to_descr(first.dtype)
    return {"descr": descr, "fortran_order": False, "shape": (total, *first.shape[1:])}
