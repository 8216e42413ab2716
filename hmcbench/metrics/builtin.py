"""The metrics and decision rules that come with hmcbench, contributed as a plugin like any other.

The id of a metric names its convention; two tools that compute a bare "F1" differently cannot be
confused. Nothing here imports numpy: the objects are named, not loaded.
"""

from __future__ import annotations

from typing import Any

from hmcbench.interfaces import MetricSpec, Param, RuleSpec
from hmcbench.interfaces.hookspecs import hookimpl

_HFF = "HFFNet-2d, eq. 4-7"
_KIRITCHENKO = "Kiritchenko et al. 2005; Silla and Freitas 2011"
_SINGLE: dict[str, Any] = {"paths": ("single",)}
_COUNT: dict[str, Any] = {"better": "", "high": None}
_SCORES: dict[str, Any] = {"decided": False}
_ERROR: dict[str, Any] = {"better": "lower", "high": None}
_MULTIPLE: dict[str, Any] = {"paths": ("multiple",), "decided": False}
_LCA = "Kosmopoulos et al. 2015"
_PAIRS: dict[str, Any] = {"paths": ("multiple",), "decided": False, "better": "lower"}
_GOREN = "Goren et al. 2024"
_CRC = "Angelopoulos et al. 2024"
_SIZE: dict[str, Any] = {"decided": False, "better": "lower", "low": None, "high": None}  # 1 at best, not 0
_CONFIDENCE: dict[str, Any] = {"better": "lower", "paths": ("single",), "decided": False}


def _spec(module: str, name: str, summary: str, **more: Any) -> MetricSpec:
    target = name.replace("{k}", "")
    more.setdefault("over", "levels" if "{k}" in name else "")
    return MetricSpec(
        name=name, version="1", summary=summary, factory=f"hmcbench.metrics.{module}:{target}", **more
    )


def _regression(name: str, summary: str, **more: Any) -> list[MetricSpec]:
    """The average over targets and the value of every target."""
    each = {**more, "over": "classes"}
    common: dict[str, Any] = {"task": "regression", "decided": False}
    return [
        _spec("regression", name, f"{summary}, mean over targets", **common, **more),
        _spec("regression", f"target_{name}", f"{summary}, of each target", **common, **each),
    ]


def _pixels(name: str, summary: str, **more: Any) -> MetricSpec:
    return _spec("pixels", name, summary, unit="pixel", decided=False, **more)


SPECS: list[MetricSpec] = [
    _spec("sets", "hp_samples", "hierarchical precision, mean over samples", citation=_HFF),
    _spec("sets", "hr_samples", "hierarchical recall, mean over samples", citation=_HFF),
    _spec("sets", "hf1_samples", "harmonic mean of hp_samples and hr_samples", citation=_HFF),
    _spec("sets", "hf1_samples_mean", "mean of the F1 of every sample"),
    _spec("sets", "hp_micro", "hierarchical precision, pooled over samples", citation=_KIRITCHENKO),
    _spec("sets", "hr_micro", "hierarchical recall, pooled over samples", citation=_KIRITCHENKO),
    _spec("sets", "hf1_micro", "harmonic mean of hp_micro and hr_micro", citation=_KIRITCHENKO),
    _spec("sets", "hf1_macro", "mean F1 of the classes with a test positive"),
    _spec("sets", "exact_match", "share of samples whose predicted set is the true one"),
    _spec("sets", "fpa", "exact_match_raw by another name", **_SINGLE, **_SCORES),
    _spec("sets", "empty_pairs", "samples with neither a true nor a predicted class", **_COUNT),
    _spec("sets", "empty_predictions", "samples with a true but no predicted class", **_COUNT),
    _spec("sets", "empty_truths", "samples with a predicted but no true class", **_COUNT),
    _spec("levels", "level{k}_accuracy", "share of samples with equal sets at level k"),
    _spec(
        "levels",
        "level{k}_argmax_accuracy",
        "share of samples whose level-k argmax is the true class",
        citation="HFFNet-2d, table 2",
        **_SINGLE,
        **_SCORES,
    ),
    _spec("levels", "level{k}_precision_macro", "mean precision of the classes of level k"),
    _spec("levels", "level{k}_recall_macro", "mean recall of the classes of level k"),
    _spec("levels", "level{k}_f1_macro", "mean F1 of the classes of level k"),
    _spec("levels", "class_precision", "precision of each class", over="classes"),
    _spec("levels", "class_recall", "recall of each class", over="classes"),
    _spec("levels", "class_f1", "F1 of each class", over="classes"),
    _spec("levels", "class_support", "samples of each class", over="classes", **_COUNT, **_SCORES),
    _spec("rankings", "auprc_micro", "average precision over all (sample, class) pairs", **_SCORES),
    _spec("rankings", "auprc_macro", "mean average precision of the classes", **_SCORES),
    _spec("rankings", "auprc_weighted", "average precision of the classes, by frequency", **_SCORES),
    _spec(
        "pooled_clus",
        "auprc_pooled_clus",
        "area under the pooled curve, interpolated as in Clus",
        citation="Vens et al. 2008; Davis and Goadrich 2006",
        **_SCORES,
    ),
    _spec("rankings", "level{k}_auprc_micro", "average precision over the pairs of level k", **_SCORES),
    _spec("rankings", "auroc_macro", "mean area under the ROC curves of the classes", **_SCORES),
    _spec(
        "cafa",
        "fmax",
        "largest F1 of mean precision and recall over thresholds, chosen on test",
        citation="Radivojac et al. 2013",
        **_MULTIPLE,
    ),
    _spec(
        "cafa",
        "smin",
        "smallest semantic distance over thresholds, chosen on test",
        citation="Clark and Radivojac 2013",
        **_MULTIPLE | _ERROR,
    ),
    _spec("label_rankings", "lrap", "label ranking average precision", **_MULTIPLE),
    _spec(
        "label_rankings",
        "coverage_error",
        "classes down to the last true one",
        low=None,  # the best value is the number of true classes
        **_MULTIPLE | _ERROR,
    ),
    _spec("label_rankings", "ranking_loss", "share of pairs in the wrong order", better="lower", **_MULTIPLE),
    *(  # the best value is lower where samples have fewer true classes
        _spec(
            "label_rankings", f"precision_at_{k}", f"true classes among the best {k}", high=None, **_MULTIPLE
        )
        for k in (1, 3, 5)
    ),
    _spec("label_rankings", "ndcg_at_5", "discounted gain among the best 5", **_MULTIPLE),
    _spec("lca_sets", "lca_p", "precision of labels joined to common ancestors", citation=_LCA),
    _spec("lca_sets", "lca_r", "recall of labels joined to common ancestors", citation=_LCA),
    _spec("lca_sets", "lca_f1", "mean F1 of labels joined to common ancestors", citation=_LCA),
    _spec(
        "structure",
        "violation_rate",
        "share of (sample, edge) pairs whose child outscores its parent",
        better="lower",
        trivial=True,
        **_SCORES,
    ),
    _spec(
        "structure",
        "incoherent_rate",
        "share of samples whose raw decision breaks the hierarchy",
        better="lower",
        trivial=True,
        **_SCORES,
    ),
    _spec(
        "structure",
        "tice",
        "incoherent_rate by another name",
        better="lower",
        trivial=True,
        **_SINGLE,
        **_SCORES,
    ),
    _spec("structure", "tree_path_distance", "edges between predicted and true class", **_SINGLE, **_ERROR),
    _spec(
        "structure",
        "mistake_severity",
        "mean height of the lowest common ancestor over mistakes",
        citation="Bertinetto et al. 2020",
        **_SINGLE,
        **_ERROR,
    ),
    _spec(
        "probabilities",
        "level{k}_ece",
        "gap between confidence and accuracy, 15 bins of the top label",
        trivial=True,  # class frequencies for all samples are calibrated
        citation="Guo et al. 2017",
        **_CONFIDENCE,
    ),
    _spec(
        "probabilities",
        "level{k}_brier",
        "squared errors of the class probabilities, summed over classes",
        citation="Brier 1950",
        high=None,  # 2 where a level sums to 1, which a sigmoid per class does not promise
        **_CONFIDENCE,
    ),
    _spec(
        "probabilities",
        "level{k}_log_loss",
        "mean -log of the probability of the true class",
        high=None,
        **_CONFIDENCE,
    ),
    _spec(
        "probabilities",
        "level{k}_aurc",
        "mean error rate among the n most confident, over n",
        citation="Geifman et al. 2019",
        **_CONFIDENCE,
    ),
    _pixels("level{k}_miou", "mean intersection over union of the classes of level k, pooled over images"),
    _pixels("level{k}_dice", "mean Dice coefficient of the classes of level k, pooled over images"),
    _pixels("hierarchical_iou", "intersection over union, all classes and images pooled"),
    _pixels("class_iou", "intersection over union of each class, pooled over images", over="classes"),
    _pixels(
        "area_error",
        "difference between predicted and true share of each class in an image, percentage points",
        over="classes",
        better="lower",
        high=100.0,
    ),
    _pixels(
        "boundary_f1",
        "mean F1 of the borders of the classes, within the dataset's tolerance",
        citation="Csurka et al. 2013",
    ),
    _pixels(
        "aji",
        "aggregated Jaccard index of the objects of each class",
        over="classes",
        citation="Kumar et al. 2017",
    ),
    _spec(
        "pairs",
        "multi_ece",
        "gap between probability and truth over (sample, class) pairs, 15 bins",
        trivial=True,  # class frequencies for all samples are calibrated
        **_PAIRS,
    ),
    _spec(
        "pairs", "multi_brier", "squared errors over (sample, class) pairs", citation="Brier 1950", **_PAIRS
    ),
    _spec("pairs", "multi_log_loss", "mean -log of the probability of what is true", **_PAIRS | _ERROR),
    _spec(
        "selection",
        "hierarchical_aurc",
        "area under risk against information, climbing to surer classes",
        citation=_GOREN,
        better="lower",
        **_SCORES,
    ),
    _spec(
        "selection",
        "risk_at_90",
        "risk where nine tenths of the information are given",
        citation=_GOREN,
        better="lower",
        **_SCORES,
    ),
    _spec(
        "selection",
        "backoff_risk",
        "share of samples that back-off answers wrongly; at most alpha is promised",
        citation=f"{_GOREN}; {_CRC}",
        better="lower",
        trivial=True,  # who always refers is never wrong
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "selection",
        "backoff_coverage",
        "mean information of the answers of back-off",
        citation=_GOREN,
        high=None,  # the best value is lower where paths end above leaves
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "selection",
        "level{k}_coverage",
        "share of samples that back-off answers at level k",
        high=None,  # the best value is the share of samples with a class there
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "conformal",
        "conformal_coverage",
        "share of truths inside the set; 1 - alpha is promised",
        citation=f"Vovk et al. 2005; {_CRC}",
        better="",  # it has a target: more than promised is as wrong as less
        **_SCORES,
    ),
    _spec("conformal", "conformal_size", "mean size of the sets", **_SIZE),
    _spec("conformal", "conformal_nodes", "mean of the fewest nodes that describe a set", **_SIZE),
    *(
        _spec(
            "bounded",
            f"bounded_coverage_at_{k}",
            f"share of truths inside the set that at most {k} classes describe; 1 - alpha is promised",
            citation="Mortier et al. 2025",
            better="",
            **_SINGLE,
            **_SCORES,
        )
        for k in (1, 2, 3)
    ),
    *(
        _spec(
            "bounded",
            f"bounded_size_at_{k}",
            f"mean size of the sets that at most {k} classes describe",
            **_SINGLE,
            **_SIZE,
        )
        for k in (1, 2, 3)
    ),
    _spec(
        "conformal",
        "level{k}_conformal_coverage",
        "share of true classes of level k that the set reaches",
        better="",
        **_SCORES,
    ),
    _spec(
        "conformal",
        "class_conformal_coverage",
        "share of the samples of each class whose set reaches it",
        over="classes",
        better="",
        **_SCORES,
    ),
    _spec(
        "conformal",
        "mondrian_coverage",
        "share of truths inside the set with a limit per class",
        citation="Vovk et al. 2005",
        better="",
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "conformal",
        "mondrian_size",
        "mean size of the sets with a limit per class",
        **_SINGLE,
        **_SIZE,
    ),
    _spec(
        "conformal",
        "class_mondrian_coverage",
        "share of truths of each class inside its set; 1 - alpha is promised",
        over="classes",
        better="",
        **_SINGLE,
        **_SCORES,
    ),
    _spec("unknown", "unknown_auroc", "whether unknown samples are suspected more", **_SINGLE, **_SCORES),
    _spec(
        "unknown",
        "unknown_fpr95",
        "share of known samples suspected where 95 % of the unknown are",
        better="lower",
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "unknown",
        "unknown_parent_accuracy",
        "share of the unknown that back-off stops right above their class",
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "unknown",
        "unknown_named",
        "share of the unknown given a wrong class with confidence over .9",
        better="lower",
        **_SINGLE,
        **_SCORES,
    ),
    _spec("unknown", "far_auroc", "whether samples of other data are suspected more", **_SINGLE, **_SCORES),
    _spec(
        "unknown",
        "far_fpr95",
        "share of test samples suspected where 95 % of other data are",
        better="lower",
        **_SINGLE,
        **_SCORES,
    ),
    _spec(
        "unknown",
        "far_named",
        "share of samples of other data given a class with confidence over .9",
        better="lower",
        **_SINGLE,
        **_SCORES,
    ),
    *_regression("r2", "coefficient of determination", low=None),
    _spec("regression", "r2_undefined", "constant targets", task="regression", **_COUNT, **_SCORES),
    *_regression("rmse", "root mean squared error", **_ERROR),
    *_regression("mae", "mean absolute error", **_ERROR),
    *_regression("mape", "mean relative error", **_ERROR),
    *_regression("max_relative_error", "largest relative error", **_ERROR),
]


@hookimpl
def hmcbench_metrics() -> list[MetricSpec]:
    """All of :data:`SPECS`."""
    return list(SPECS)


def _rule(module: str, function: str, name: str, summary: str, citation: str, **more: Any) -> RuleSpec:
    factory = f"hmcbench.metrics.rules.{module}:{function}"
    fields: dict[str, Any] = {"version": "1", **_SETS, **more}
    return RuleSpec(name=name, summary=summary, factory=factory, citation=citation, **fields)


_SETS: dict[str, Any] = {"makes": "sets"}
_SEVERAL: dict[str, Any] = {"paths": ("multiple",)}
_REPAIR: dict[str, Any] = {"makes": "scores"}
_K = Param(0, "classes per sample; 0: the number with the best hf1_micro on validation", low=0)

RULES: list[RuleSpec] = [
    _rule(
        "repairs",
        "maximum",
        "max",
        "scores: maximum over a class and its descendants",
        "Giunchiglia and Lukasiewicz 2020",
        **_REPAIR,
    ),
    _rule(
        "repairs",
        "minimum",
        "min",
        "scores: minimum over a class and its ancestors",
        "Notaro et al. 2017",
        **_REPAIR,
    ),
    _rule(
        "repairs",
        "product",
        "product",
        "scores: product over a class and its ancestors (chain rule)",
        "Dumais and Chen 2000",
        **_REPAIR,
        **_SEVERAL,
    ),
    _rule(
        "isotonic",
        "isotonic",
        "isotonic",
        "scores: the nearest ones that respect the hierarchy",
        "Obozinski et al. 2008",
        **_REPAIR,
    ),
    _rule(
        "most_probable",
        "most_probable",
        "map",
        "sets: the most probable closed set, exactly",
        "Ahmed et al. 2022; Picard 1976",
    ),
    _rule(
        "ranked",
        "cssa",
        "cssa",
        "sets: the closed set of k classes with the largest sum of scores",
        "Bi and Kwok 2011",
        version="2",  # 1 counted classes that are not scored
        params={"k": _K},
        fit="hmcbench.metrics.rules.ranked:fit_cssa",
        **_SEVERAL,
    ),
    _rule(
        "ranked",
        "expected_f1",
        "expected-hf1",
        "sets: the closed set of the largest expected hF1",
        "Dinkelbach 1967",
        version="2",  # as cssa
    ),
]


@hookimpl
def hmcbench_rules() -> list[RuleSpec]:
    """All of :data:`RULES`."""
    return list(RULES)
