"""Clus beside hmcbench: runs its jar, reads what it wrote; the table of docs/auprc.md and a golden file.

    HMCBENCH_CLUS=clus.jar python benchmarks/clus.py hmc_classic [--runs runs/clus] [--into docs/auprc.md]
    HMCBENCH_CLUS=clus.jar python benchmarks/clus.py --golden tests/hmcbench/metrics/golden

Clus (https://github.com/knowledge-technologies/clus) is no part of hmcbench: ``mvn package`` in its folder
``ClusProject`` makes the jar. It needs a Java that is 9 or later. ``--runs`` keeps its files; runs that are
there are read and not repeated.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hmcbench_hmc.classic.dataset import classic
from hmcbench_hmc.classic.sets import find
from scipy import sparse

from hmcbench.files import write_atomic
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Task
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.score_bits import rounded

JAR = "HMCBENCH_CLUS"
MARKS = ("<!-- clus -->", "<!-- /clus -->")
PRINTED = {
    "Pooled AUPRC": "auprc_pooled_clus",
    "Average AUPRC": "auprc_macro",
    "Average AUPRC (weighted)": "auprc_weighted",
    "Average AUROC": "auroc_macro",
}
"""What Clus calls its areas -> the metric of hmcbench that is nearest to it."""
RUNS = [
    ("cellcycle_FUN", 0, 0.05),
    ("cellcycle_FUN", 50, 1.0),
    ("cellcycle_GO", 10, 1.0),
]
"""Those of the table: set, trees of a forest (0: one tree), significance of the F-test."""
SETTINGS = """[Data]
File = train.arff
TestSet = test.arff
[Hierarchical]
Type = {kind}
WType = ExpAvgParentWeight
HSeparator = /
EvalClasses = {scored}
[Tree]
Heuristic = VarianceReduction
FTest = {f_test}
[Ensemble]
Iterations = {trees}
EnsembleMethod = {method}
SelectRandomSubspaces = {columns}
[Model]
MinimalWeight = 5
[Output]
WritePredictions = Test
"""


@dataclass(frozen=True)
class ClusRun:
    """What a run of Clus left.

    Attributes:
        version: of Clus.
        classes: C names.
        truth: boolean (N, C), of the test samples, closed under ancestors.
        scores: float64 (N, C), the probabilities that it predicted.
        printed: its name of an area -> the value on the test samples, without rounding.
        seconds: what it says that growing the trees took: without its start, reading and predictions.
    """

    version: str
    classes: list[str]
    truth: np.ndarray
    scores: np.ndarray
    printed: dict[str, float]
    seconds: float

    def evaluation(self, task: Task, bits: int = 64) -> Evaluation:
        """Truth and scores, rounded to ``bits``, in the order of the task's classes."""
        assert task.hierarchy is not None
        place = {name: i for i, name in enumerate(self.classes)}
        order = [place[name] for name in task.hierarchy.classes]
        assert len(order) == len(self.classes), "Clus and the task have other classes"
        scores = self.scores[:, order]
        return Evaluation.of(task, self.truth[:, order], scores if bits == 64 else rounded(scores, bits))


def settings(
    kind: str, *, trees: int = 0, f_test: float = 1.0, scored: str = "None", columns: float = 1.0
) -> str:
    """The settings of a run as published [Vens 2008; Schietgat 2010]: leaves of 5 samples, no pruning.

    Args:
        kind: of the hierarchy, ``Tree`` or ``DAG``.
        trees: of a forest; 0 for one tree.
        f_test: significance of a split; 1 keeps every split.
        scored: a file with the classes that count, or ``None`` for all.
        columns: share of the columns that a forest tries at a split.
    """
    method = "Bagging" if columns == 1 else "RForest"
    return SETTINGS.format(
        kind=kind, trees=trees or 2, f_test=f_test, scored=scored, method=method, columns=columns
    )


def run_clus(folder: Path, text: str, trees: int) -> ClusRun:
    """Run Clus on ``train.arff`` and ``test.arff`` in a folder, with the settings ``text``.

    Raises:
        RuntimeError: Clus failed, with the end of what it said.
    """
    for name in ("clus.log", "clus.test.pred.arff"):  # of an earlier run
        (folder / name).unlink(missing_ok=True)
    (folder / "clus.s").write_text(text, encoding="utf-8")
    opens = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("util", "lang")]
    command = ["java", *opens, "-jar", os.environ[JAR], *(["-forest"] if trees else []), "clus.s"]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    (folder / "clus.log").write_text(run.stdout, encoding="utf-8")
    if run.returncode:
        raise RuntimeError(f"Clus failed ({run.returncode}): {(run.stderr or run.stdout)[-2000:]}")
    return read_run(folder)


def read_run(folder: Path) -> ClusRun:
    """What a run left in its folder."""
    version = re.search(r"Clus v(\S+)", (folder / "clus.log").read_text(encoding="utf-8"))
    output = (folder / "clus.out").read_text(encoding="utf-8")
    took = re.search(r"Induction Time: (\S+) sec", output)
    assert version and took
    test = output[output.index("Testing error") :]
    printed = {name: float(re.findall(rf"{re.escape(name)}: +(\S+)", test)[-1]) for name in PRINTED}
    classes, truth, scores = read_predictions(folder / "clus.test.pred.arff")
    return ClusRun(version[1], classes, truth, scores, printed, float(took[1]))


def read_predictions(path: Path) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Classes, truth and scores of the file of predictions of one model.

    A line ends with C values of 0 and 1, C probabilities, and the numbers of the leaves.

    Raises:
        RuntimeError: a file that was not written to its end.
    """
    head, data, body = path.read_text(encoding="utf-8").partition("\n@DATA\n")
    if not data or not body.endswith("\n"):
        raise RuntimeError(f"{path} ends in the middle; delete it and run again")
    header = [line for line in head.split("\n") if line.startswith("@ATTRIBUTE")]
    rows = [line.rsplit(",", 2 * _scores_in(header) + 1)[1:-1] for line in body.split("\n") if line.strip()]
    classes = [name[1] for line in header if (name := re.search(r"-p-(\S+) +numeric$", line))]
    values = np.array(rows, dtype=np.float64)
    return classes, values[:, : len(classes)] == 1, values[:, len(classes) :]


def _scores_in(header: list[str]) -> int:
    return sum("-p-" in line for line in header)


# --------------------------------------------------------------------------- files for Clus


def write_arff(path: Path, rows: np.ndarray, targets: sparse.csr_array, hierarchy: Hierarchy) -> None:
    """A table of numbers (N, F) with a hierarchical class attribute, whose classes form a DAG."""
    edges = ",".join(f"{parent or 'root'}/{child}" for parent, child in hierarchy.edges)
    lines = ["@relation data", *(f"@attribute f{i} numeric" for i in range(rows.shape[1]))]
    lines += [f"@attribute class hierarchical {edges}", "@data"]
    for row, labels in zip(rows, sparse.csr_array(targets), strict=True):
        names = "@".join(hierarchy.decode(labels.reshape(1, -1)))
        lines.append(",".join([*("?" if np.isnan(value) else f"{value:.5g}" for value in row), names]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_classic(folder: Path, name: str, path: str, task: Task) -> str:
    """Write train and validation samples, and test samples; the file of scored classes, or ``None``."""
    files = find(name, path)
    train, validation, test = (_text(files[side]) for side in ("train", "validation", "test"))
    rows = re.split(r"^@data\s*$", validation, flags=re.IGNORECASE | re.MULTILINE)[1]
    (folder / "train.arff").write_text(train + rows, encoding="utf-8")
    (folder / "test.arff").write_text(test, encoding="utf-8")
    if not task.unscored:
        return "None"
    assert task.hierarchy is not None
    scored = [name for name in task.hierarchy.classes if name not in task.unscored]
    (folder / "scored.txt").write_text("\n".join(scored) + "\n", encoding="utf-8")
    return "scored.txt"


def _text(file: Path) -> str:
    with gzip.open(file, "rt") if file.suffix == ".gz" else file.open() as text:
        return text.read()


def _complete(folder: Path) -> bool:
    """Whether a run wrote all its files, the last of them the log, and a prediction of every test sample."""
    names = ("clus.log", "clus.out", "test.arff", "clus.test.pred.arff")
    if not all((folder / name).is_file() for name in names):
        return False
    test, predicted = (_text(folder / name) for name in names[2:])
    return predicted.endswith("\n") and _rows_in(test) == _rows_in(predicted)


def _rows_in(text: str) -> int:
    """How many lines after ``@data`` hold a row; -1 where there is no such line."""
    parts = re.split(r"^@data\s*$", text, maxsplit=1, flags=re.IGNORECASE | re.MULTILINE)
    return sum(line.strip()[:1] not in ("", "%") for line in parts[1].split("\n")) if parts[1:] else -1


def classic_run(
    folder: Path, name: str, path: str, trees: int, f_test: float = 1.0, columns: float = 1.0
) -> tuple[ClusRun, Task]:
    """Clus on a classic set, and the set's task; a run that is complete in the folder is read."""
    task = classic(set=name, path=path).task
    if _complete(folder):
        return read_run(folder), task
    folder.mkdir(parents=True, exist_ok=True)
    scored = write_classic(folder, name, path, task)
    kind = "DAG" if name.endswith("_GO") else "Tree"
    text = settings(kind, trees=trees, f_test=f_test, scored=scored, columns=columns)
    return run_clus(folder, text, trees), task


# --------------------------------------------------------------------------- the table and the golden file


def areas(run: ClusRun, task: Task) -> dict[str, float]:
    """Metric -> value, of those that :data:`PRINTED` names, for the predictions that Clus wrote."""
    return dict(compute(SPECS, run.evaluation(task), names=[*PRINTED.values()]))


def table(path: str, runs: Path) -> Iterator[str]:
    """The areas that Clus prints beside those of hmcbench for the predictions that it wrote."""
    yield "| set | model of Clus | Clus calls it | Clus prints | hmcbench | metric | difference |"
    yield "|:--|:--|:--|--:|--:|:--|--:|"
    for name, trees, f_test in RUNS:
        run, task = classic_run(runs / f"{name}-{trees}", name, path, trees, f_test)
        model = f"{trees} bagged trees" if trees else f"one tree, F-test at {f_test}"
        for area, metric in PRINTED.items():
            value = areas(run, task)[metric]
            yield _line(name, model, area, run.printed[area], value, f"`{metric}`")
        pooled = "auprc_pooled_clus"
        for bits in (32, 16):
            value = compute(SPECS, run.evaluation(task, bits), names=[pooled])[pooled]
            what = f"`{pooled}`, scores of {bits} bits"
            yield _line(name, model, "Pooled AUPRC", run.printed["Pooled AUPRC"], value, what)


def _line(name: str, model: str, area: str, theirs: float, ours: float, metric: str) -> str:
    return f"| {name} | {model} | {area} | {theirs:.7f} | {ours:.7f} | {metric} | {ours - theirs:+.0e} |"


def golden(folder: Path) -> None:
    """Write ``clus.json``: 40 samples of ``synthetic-dag``, and what Clus predicts and prints for them."""
    data = classic(set="synthetic-dag")
    hierarchy, split = data.task.hierarchy, np.asarray(data.split)
    assert hierarchy is not None
    train, test = split == "train", np.flatnonzero(split == "test")[:40]
    rows, targets = np.asarray(data.views["table"]), sparse.csr_array(data.targets)
    content: dict[str, object] = {"edges": hierarchy.edges}
    for model, trees in (("tree", 0), ("forest", 5)):
        with tempfile.TemporaryDirectory() as name:
            write_arff(Path(name, "train.arff"), rows[train], targets[train], hierarchy)
            write_arff(Path(name, "test.arff"), rows[test], targets[test], hierarchy)
            run = run_clus(Path(name), settings("DAG", trees=trees), trees)
        e = run.evaluation(data.task)
        content |= {"version": run.version, "truth": np.asarray(e.truth, dtype=int).tolist()}
        content[model] = {"printed": run.printed, "scores": e.scores.tolist()}
    text = json.dumps(content)
    write_atomic(folder / "clus.json", re.sub(r"([\]}]), ", r"\1,\n", text) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description="The areas that Clus prints, and those of hmcbench.")
    parser.add_argument("data", nargs="?", help="the folder of the classic sets")
    parser.add_argument("--runs", type=Path, help="keep the files of Clus here")
    parser.add_argument("--into", type=Path, help="a page with the two comments")
    parser.add_argument("--golden", type=Path, help="write clus.json of made data into this folder instead")
    given = parser.parse_args()
    if given.golden is not None:
        golden(given.golden)
        return
    with tempfile.TemporaryDirectory() as temporary:
        text = "\n".join(table(given.data, given.runs or Path(temporary))) + "\n"
    if given.into is None:
        print(text, end="")
        return
    page = given.into.read_text(encoding="utf-8")
    pattern = re.compile(f"{MARKS[0]}.*{MARKS[1]}", re.DOTALL)
    write_atomic(given.into, pattern.sub(lambda _: f"{MARKS[0]}\n\n{text}\n{MARKS[1]}", page))


if __name__ == "__main__":
    main()
