"""The dataset ``hmc-classic``."""

from __future__ import annotations

from hmcbench.errors import BadInput, DataProblems
from hmcbench.interfaces import DataReport, Dataset, Value
from hmcbench_hmc.arff.content import ArffContent, read_content
from hmcbench_hmc.arff.dataset import make_dataset, make_report
from hmcbench_hmc.classic.sets import DATASET, SETS, SYNTHETIC, find
from hmcbench_hmc.classic.synthetic import make_content


def classic(*, set: str, path: str = "", roots: bool = False, paths: str = "auto", seed: int = 0) -> Dataset:
    """One of the classic sets, with its own train, validation and test samples.

    Args:
        set: one of :data:`hmcbench_hmc.classic.sets.SETS` or ``SYNTHETIC``.
        path: a folder with its files; else they are looked for in the environment and the cache.
        roots: whether the three roots of the Gene Ontology are scored.
        paths: see :func:`hmcbench_hmc.arff.dataset.arff`.
        seed: of the synthetic sets.

    Raises:
        BadInput: its files are not there.
    """
    content = _content(set, path, seed)
    if set in SYNTHETIC:
        note = f"synthetic samples made by rules, seed {seed}"
        return make_dataset(content, paths=paths, synthetic=True, notes=[note])
    unscored = () if roots else SETS[set].unscored
    notes = [f"classes that are not scored: {', '.join(unscored)}"] if unscored else []
    return make_dataset(
        content,
        paths=paths,
        unscored=unscored,
        share_targets=False,  # the sets state no licence
        notes=notes,
    )


def lint_classic(*, set: str, path: str = "", seed: int = 0, **_more: Value) -> DataReport:
    """What ``hmcbench data lint PATH --dataset hmc-classic:SET`` prints."""
    try:
        return make_report(_content(set, path, seed))
    except DataProblems as error:
        return DataReport(path, {}, error.problems)


def _content(name: str, path: str, seed: int) -> ArffContent:
    if name in SYNTHETIC:
        return make_content(name, seed)
    files = find(name, path)
    if not files:
        raise BadInput(
            f"the files of {name} are not here",
            allowed=f"--data {DATASET}=FOLDER; hmcbench data fetch {DATASET}:{name}",
            hint=f"{DATASET}:{SYNTHETIC[0]} needs no files",
        )
    return read_content(files, path or name)
