"""What each trap in published AU(PRC) values moves, in numbers: the tables of docs/auprc.md.

    python benchmarks/auprc_traps.py hmc_classic [--records runs/hmc-classic] [--into docs/auprc.md]

Trains pct-forest, one tree and a linear model on cellcycle_FUN and cellcycle_GO, and pct-forest on ImCLEF07A:
about two minutes on one core. ``--records`` adds the stored predictions of c-hmcnn on both and of mlp-bce on
cellcycle_FUN. Prints Markdown; ``--into`` writes it between the two comments of the page.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from hmcbench_hmc.classic.dataset import classic
from hmcbench_hmc.models.trees import Pct, PctForest
from sklearn.linear_model import Ridge
from sklearn.metrics import auc, average_precision_score, precision_recall_curve
from sklearn.preprocessing import StandardScaler

from hmcbench.data.prepare import preparations, prepare
from hmcbench.data.protocol import Protocol
from hmcbench.data.splits import labelled, make_split
from hmcbench.files import write_atomic
from hmcbench.interfaces import Dataset, Run
from hmcbench.metrics.builtin import SPECS
from hmcbench.metrics.computing import compute
from hmcbench.metrics.decisions import Thresholds, fit_threshold
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.records.predictions import Predictions
from hmcbench.registry.registry import default_registry
from hmcbench.reproduce.tables import find_table

MARKS = ("<!-- traps -->", "<!-- /traps -->")
TREES = {"cellcycle_FUN": (250, 20), "cellcycle_GO": (150, 40), "ImCLEF07A": (100, 20)}
"""Set -> trees and projections of its forest."""


@dataclass(frozen=True)
class Line:
    """A trap: a value as hmcbench computes it, the value that the trap gives, and of which model."""

    trap: str
    model: str
    ours: float
    trapped: float

    def __str__(self) -> str:
        moved = f"{self.trapped - self.ours:+.4f}"
        return f"| {self.trap} | {self.model} | {self.ours:.4f} | {self.trapped:.4f} | {moved} |"


class ClassicSet:
    """A set with its own split: views, fits and values."""

    def __init__(self, name: str, path: str, **options: Any) -> None:
        self.name = name
        self.data: Dataset = classic(set=name, path=path, **options)
        split = make_split(self.data, Protocol(kind="predefined", validation=0.3, seed=0))
        self.sides = {side: np.asarray(rows) for side, rows in split.sides.items()}
        self.both = np.sort(np.concatenate([self.sides["train"], self.sides["validation"]]))
        self.task = self.data.task
        self.trees, self.projections = TREES[name]

    def views(self, known: np.ndarray, *, missing: bool) -> dict[str, np.ndarray]:
        """The table; missing numbers stay, or become the means of the ``known`` samples."""
        spec = replace(default_registry().get("models", "pct-forest"), missing=missing)
        prepared = prepare(self.data, preparations(self.data, known, spec))
        return {"table": prepared["table"].rows if prepared else np.asarray(self.data.views["table"])}

    def forest(self, train: np.ndarray, views: dict[str, np.ndarray], side: str = "test") -> np.ndarray:
        """The scores of ``side`` by a forest that was grown on ``train``."""
        return self.scores(PctForest(trees=self.trees, projections=self.projections), train, views, side)

    def scores(self, model: Any, train: np.ndarray, views: dict[str, np.ndarray], side: str) -> np.ndarray:
        nobody = labelled(self.data, views, train[:0])
        model.fit(labelled(self.data, views, train), nobody, Run(self.task, seed=0))
        values: np.ndarray = model.predict(labelled(self.data, views, self.sides[side])).values
        return np.asarray(values, dtype=np.float32)

    def linear(self, train: np.ndarray, fit_on: np.ndarray, predict_on: np.ndarray) -> np.ndarray:
        """Test scores of ridge regression on standardised columns, given two tables."""
        scale = StandardScaler().fit(fit_on[train])
        model = Ridge(alpha=100.0).fit(
            scale.transform(fit_on[train]), self.truth_of(train).astype(np.float32)
        )
        test = scale.transform(predict_on[self.sides["test"]])
        scores: np.ndarray = np.clip(model.predict(test), 0, 1).astype(np.float32)
        return scores

    def truth_of(self, rows: np.ndarray) -> np.ndarray:
        targets = self.data.targets[rows]
        return np.asarray(targets.toarray() if hasattr(targets, "toarray") else targets, dtype=bool)

    def evaluation(
        self, scores: np.ndarray, threshold: Thresholds | None = None, task: Any = None
    ) -> Evaluation:
        return Evaluation.of(task or self.task, self.truth_of(self.sides["test"]), scores, None, threshold)

    def value(self, scores: np.ndarray, metric: str = "auprc_micro", **given: Any) -> float:
        return float(compute(SPECS, self.evaluation(scores, **given), names=[metric])[metric])


def trapezoid(e: Evaluation) -> float:
    """The area that joins the points of the pooled curve by straight lines."""
    precision, recall, _ = precision_recall_curve(e.truth.ravel(), np.asarray(e.scores).ravel())
    return float(auc(recall, precision))


def areas(of: ClassicSet, scores: np.ndarray, model: str) -> Iterator[Line]:
    """Three areas under one pooled curve."""
    ours = of.value(scores)
    yield Line("interpolated area (Clus)", model, ours, of.value(scores, "auprc_pooled_clus"))
    yield Line("trapezoids", model, ours, trapezoid(of.evaluation(scores)))


def classes_and_samples(of: ClassicSet, scores: np.ndarray, model: str) -> Iterator[Line]:
    """Which classes count, and over what a mean is taken."""
    e = of.evaluation(scores)
    present = e.truth.any(axis=0)
    truth, values = e.truth, np.asarray(e.scores)
    dropped = float(average_precision_score(truth[:, present], values[:, present], average="micro"))
    yield Line("classes without a test positive dropped, pooled", model, of.value(scores), dropped)
    macro = of.value(scores, "auprc_macro")
    yield Line(
        "classes without a test positive count as 0, mean over classes", model, macro, macro * present.mean()
    )
    some = truth.any(axis=1)
    per_sample = float(average_precision_score(truth[some], values[some], average="samples"))
    yield Line("mean over samples under the same name", model, of.value(scores), per_sample)


def chosen_on_test(of: ClassicSet, scores: np.ndarray, model: str) -> Iterator[Line]:
    """The better of two test scores: those of the model, and their maximum over descendants."""
    hierarchy = of.task.hierarchy
    assert hierarchy is not None
    repaired = scores.copy()
    for level in range(hierarchy.depth, 1, -1):  # classes of a level have all their parents above it
        for parent, child in hierarchy.edge_index:
            if hierarchy.levels[child] == level:
                np.maximum(repaired[:, parent], repaired[:, child], out=repaired[:, parent])
    raw = of.value(scores)
    yield Line("the better of raw and coherent scores, by test", model, raw, max(raw, of.value(repaired)))


def training_side(of: ClassicSet, best: np.ndarray) -> Iterator[Line]:
    """Train alone, and a threshold that sees the test samples."""
    views = of.views(of.both, missing=True)
    train = of.sides["train"]
    yield Line("trained on train alone", "pct-forest", of.value(best), of.value(of.forest(train, views)))
    valid = of.forest(train, views, "validation")
    hierarchy, unscored = of.task.hierarchy, of.task.unscored
    assert hierarchy is not None
    honest, cheat = (
        fit_threshold(scores, of.truth_of(of.sides[side]), hierarchy, unscored=unscored)
        for scores, side in ((valid, "validation"), (best, "test"))
    )
    ours, trapped = (of.value(best, "hf1_micro", threshold=limit) for limit in (honest, cheat))
    yield Line("`hf1_micro`: threshold fitted on test", "pct-forest", ours, trapped)


def imputation(of: ClassicSet) -> Iterator[Line]:
    """Missing values filled with the means of the training samples, or of every file."""
    ours = of.views(of.both, missing=False)["table"]
    own = ours.copy()
    for rows in of.sides.values():
        own[rows] = of.views(rows, missing=False)["table"][rows]
    for model in ("pct-forest", "linear"):
        values = [
            of.value(
                of.forest(of.both, {"table": table})
                if model == "pct-forest"
                else of.linear(of.both, table, table)
            )
            for table in (ours, own)
        ]
        yield Line("missing values filled with the means of each file", model, *values)


def gene_ontology_roots(path: str, of: ClassicSet, scores: dict[str, np.ndarray]) -> Iterator[Line]:
    """The three roots of the Gene Ontology scored."""
    task = classic(set=of.name, path=path, roots=True).task
    for model, values in scores.items():
        yield Line("the three roots scored", model, of.value(values), of.value(values, task=task))


def single_paths(of: ClassicSet) -> Iterator[Line]:
    """ImCLEF07A read as several paths with a threshold, and as one path."""
    views = of.views(of.both, missing=True)
    best = of.forest(of.both, views)
    hierarchy = of.task.hierarchy
    assert hierarchy is not None
    valid = of.forest(of.sides["train"], views, "validation")
    limit = fit_threshold(valid, of.truth_of(of.sides["validation"]), hierarchy)
    single, several = replace(of.task, paths="single"), replace(of.task, paths="multiple")
    ours = of.value(best, "exact_match", task=single)
    trapped = of.value(best, "exact_match", task=several, threshold=limit)
    yield Line("`exact_match`: read as several paths, with a threshold", "pct-forest", ours, trapped)


def prior(of: ClassicSet) -> np.ndarray:
    """The class frequencies of train and validation, for every test sample."""
    frequencies = of.truth_of(of.both).mean(axis=0).astype(np.float32)
    return np.broadcast_to(frequencies, (len(of.sides["test"]), len(frequencies)))


def stored(of: ClassicSet, records: Path, model: str) -> np.ndarray | None:
    """Test scores of a record, in the order of the set; None where there is none."""
    paths = sorted((records / "records").glob(f"hmc-classic-{of.name}--{model}--*/predictions.npz"))
    if not paths:
        return None
    test = Predictions.load(paths[0]).of_side("test")
    place = {name: i for i, name in enumerate(test.ids)}
    scores: np.ndarray = test.scores[[place[of.data.ids[i]] for i in of.sides["test"]]]
    return scores


def functions(path: str, records: Path | None) -> Iterator[Line]:
    """cellcycle_FUN."""
    of = ClassicSet("cellcycle_FUN", path)
    views = of.views(of.both, missing=True)
    forest = of.forest(of.both, views)
    filled = of.views(of.both, missing=False)["table"]
    tree = of.scores(Pct(significance=0.01), of.both, views, "test")
    network = stored(of, records, "c-hmcnn") if records else None
    plain = stored(of, records, "mlp-bce") if records else None
    yield from areas(of, prior(of), "prior")
    yield from areas(of, tree, "pct (one tree)")
    yield from areas(of, forest, "pct-forest")
    if network is not None:
        yield from areas(of, network, "c-hmcnn")
    yield from training_side(of, forest)
    yield from imputation(of)
    yield from classes_and_samples(of, forest, "pct-forest")
    if network is not None:
        yield from classes_and_samples(of, network, "c-hmcnn")
    yield from chosen_on_test(of, of.linear(of.both, filled, filled), "linear")
    if plain is not None:
        yield from chosen_on_test(of, plain, "mlp-bce")


def ontology(path: str, records: Path | None) -> Iterator[Line]:
    """cellcycle_GO."""
    of = ClassicSet("cellcycle_GO", path)
    scores = {"prior": prior(of), "pct-forest": of.forest(of.both, of.views(of.both, missing=True))}
    network = stored(of, records, "c-hmcnn") if records else None
    if network is not None:
        scores["c-hmcnn"] = network
    for model, values in scores.items():
        yield from areas(of, values, model)
    yield from training_side(of, scores["pct-forest"])
    yield from imputation(of)
    for model, values in scores.items():
        if model != "prior":
            yield from classes_and_samples(of, values, model)
    yield from gene_ontology_roots(path, of, scores)


def outliers() -> Iterator[str]:
    """Published means over the GO sets, with and without gasch2_GO."""
    table = find_table(default_registry(), "hmc-classic")
    columns = [i for i, name in enumerate(table.headers) if name.endswith("_GO")]
    rest = [i for i in columns if table.headers[i] != "gasch2_GO"]
    for row in table.rows:
        if row.values:
            every, fewer = (float(np.mean([row.values[i] for i in chosen])) for chosen in (columns, rest))
            odd = row.values[table.headers.index("gasch2_GO")]
            yield f"| {row.label} | {every:.4f} | {odd:.3f} | {fewer:.4f} |"


def section(title: str, lines: Sequence[Line]) -> list[str]:
    head = ["| trap | model | here | with the trap | moved by |", "|:--|:--|--:|--:|--:|"]
    return [f"### {title}", "", *head, *map(str, lines), ""]


def report(path: str, records: Path | None) -> str:
    """The tables, as Markdown."""
    text = section("`cellcycle_FUN`: a tree of 499 classes", list(functions(path, records)))
    text += section("`cellcycle_GO`: a DAG of 4,125 classes", list(ontology(path, records)))
    text += section("`ImCLEF07A`: single paths", list(single_paths(ClassicSet("ImCLEF07A", path))))
    text += ["### Published means over eight sets of the Gene Ontology", ""]
    text += ["| method | mean of eight | gasch2_GO | mean of the other seven |", "|:--|--:|--:|--:|"]
    return "\n".join([*text, *outliers()]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="What each trap in AU(PRC) moves.")
    parser.add_argument("data", help="the folder of the classic sets")
    parser.add_argument("--records", type=Path, help="a folder of the suite hmc-classic, for more models")
    parser.add_argument("--into", type=Path, help="a page with the two comments")
    given = parser.parse_args()
    text = report(given.data, given.records)
    if given.into is None:
        print(text, end="")
        return
    page = given.into.read_text(encoding="utf-8")
    pattern = re.compile(f"{MARKS[0]}.*{MARKS[1]}", re.DOTALL)
    write_atomic(given.into, pattern.sub(lambda _: f"{MARKS[0]}\n\n{text}\n{MARKS[1]}", page))


if __name__ == "__main__":
    main()
