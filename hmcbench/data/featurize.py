"""Computes a model's views from those of a dataset: chains of featurizers, cached on disk.

``pixels[size=64]`` means: run the featurizer ``pixels`` with that parameter on the view it names
as its source. Each array is a ``.npy`` memory map keyed by the data's fingerprint, the chain and
its versions; other models, seeds and runs reuse it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hmcbench.errors import BadInput, NotApplicable, PluginError
from hmcbench.files import cache_dir, replacing
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


def compute_view(plan: ViewPlan, dataset: Dataset, threads: int = 1) -> tuple[Any, bool]:
    """The view (N rows) and whether all of it was in the cache."""
    rows: Any = dataset.views[plan.source]
    cached = True
    for depth, step in enumerate(plan.steps, start=1):
        part = ViewPlan(step.spec.name, plan.source, plan.steps[:depth])
        path = cache_dir("views") / f"{step.spec.name}-{part.key(dataset.fingerprint)[:32]}.npy"
        if not path.exists():
            cached = False
            _fill_file(path, step, rows, threads)
        rows = _open(path)
    return rows, cached


def _open(path: Path) -> Any:
    import numpy as np

    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError):
        path.unlink(missing_ok=True)  # damaged (by a full disk, for example): the next call computes it again
        raise BadInput(f"the cached view {path} was damaged and has been removed", hint="run again") from None


def _fill_file(path: Path, step: Step, rows: Any, threads: int) -> None:
    """Run one featurizer block by block into a new file."""
    import numpy as np

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
        shape = (total, *first.shape[1:])
        out = np.lib.format.open_memmap(temporary, mode="w+", dtype=first.dtype, shape=shape)
        out[: len(first)] = first
        starts = range(len(first), total, BLOCK)
        with ThreadPoolExecutor(max(1, threads)) as pool:
            for start, values in zip(starts, pool.map(block, starts), strict=True):
                out[start : start + len(values)] = values
        out.flush()
        del out
