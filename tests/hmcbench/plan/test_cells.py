from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hmcbench.data import featurize
from hmcbench.errors import BadInput
from hmcbench.interfaces import DatasetSpec, ModelSpec, Param
from hmcbench.interfaces.hookspecs import hookimpl
from hmcbench.plan.cells import Plan, make_plan, plan_data
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import load_suite, parse_suite
from hmcbench.records.suite_file import with_earlier
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import temporary_plugin, tiny_dataset, tiny_suite


def test_views_are_planned_once_for_all_folds_and_seeds_of_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[tuple[str, ...]] = []
    plan_views = featurize.plan_views

    def counted(registry: Any, available: Any, views: Any, params: Any) -> Any:
        wanted.append(tuple(views))
        return plan_views(registry, available, views, params)

    monkeypatch.setattr(featurize, "plan_views", counted)
    registry = default_registry()
    suite = load_suite(registry, "smoke")
    plan = make_plan(suite, registry, Choices(datasets=("toy-tree",), seeds=3, splits=2))
    pairs = {(cell.dataset, cell.label) for cell in plan.cells}
    assert len(plan.cells) == 6 * len(pairs) > 6
    assert len(wanted) == len(pairs)


def test_a_fold_and_a_seed_change_the_key_and_nothing_else_that_a_pair_says() -> None:
    registry = default_registry()
    suite = load_suite(registry, "smoke")
    plan = make_plan(suite, registry, Choices(datasets=("toy-tree",), models=("prior",), seeds=2, splits=2))
    assert [(cell.seed, cell.fold) for cell in plan.cells] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    assert len({cell.key for cell in plan.cells}) == 4
    for cell in plan.cells:
        assert cell.record["seed"] == cell.seed
        assert cell.record["split"]["fold"] == cell.fold
        assert cell.at_a_time == 1, "the runner says where cells share a device"
        assert cell.record["model"] == plan.cells[0].record["model"]


def plan_of(*models: str, limit: float = 60, protocol: str = "", **choices: Any) -> Plan:
    text = tiny_suite("keys", models, time_limit=limit)
    text = text.replace('kind = "holdout"\ntest = 0.3', protocol) if protocol else text
    return make_plan(parse_suite(text, "s.toml"), default_registry(), Choices(**choices))


def test_a_plan_knows_the_labels_of_its_suite() -> None:
    text = tiny_suite("keys", ["prior", "knn"])
    text = text.replace('"knn"', '{ model = "knn[n_neighbors=5]", label = "Neighbours" }')
    plan = make_plan(parse_suite(text, "s.toml"), default_registry(), Choices())
    assert [(cell.label, cell.row) for cell in plan.cells] == [("prior", "prior"), ("knn", "Neighbours")]
    assert plan.info()["labels"] == {"quick": {"knn[n_neighbors=5]": "Neighbours", "knn": "Neighbours"}}


def test_a_changed_entry_takes_its_label_from_the_model_that_it_was() -> None:
    """Both were rows of one name: in one plan, and where the second plan had changed the entry."""
    text = tiny_suite("keys", ["prior", "knn"])
    text = text.replace('"knn"', '{ model = "knn[n_neighbors=5]", label = "Neighbours" }')
    suite, registry = parse_suite(text, "s.toml"), default_registry()
    settings = {"knn[n_neighbors=5].n_neighbors": "3"}
    plain = make_plan(suite, registry, Choices())
    changed = make_plan(suite, registry, Choices(models=("Neighbours",), settings=settings))
    both = make_plan(suite, registry, Choices(models=("Neighbours", "knn[]"), settings=settings))
    assert {cell.label: cell.row for cell in both.cells} == {"knn[n_neighbors=3]": "Neighbours", "knn": "knn"}
    of_changed = {"quick": {"knn[n_neighbors=3]": "Neighbours"}}
    assert changed.info()["labels"] == both.info()["labels"] == of_changed
    assert with_earlier(changed.info(), plain.info(), ())["labels"] == of_changed
    assert with_earlier(plain.info(), changed.info(), ())["labels"] == plain.info()["labels"]


def test_the_plan_says_which_model_has_no_entry_in_the_suite() -> None:
    text = tiny_suite("keys", ["knn[n_neighbors=3]"])

    def notes(model: str) -> list[str]:
        plan = make_plan(parse_suite(text, "s.toml"), default_registry(), Choices(models=(model,)))
        return [note for note in plan.notes if "no entry" in note]

    assert notes("prior") == [
        "prior has no entry in suite keys, profile quick: it runs with its own defaults"
    ]
    assert notes("knn") == notes("knn[n_neighbors=2]") == []


def test_keys_depend_on_what_changes_results_and_on_nothing_else() -> None:
    key = plan_of("random").cells[0].key
    assert plan_of("prior", "random").cells[1].key == key
    assert plan_of("random", limit=17).cells[0].key == key
    assert plan_of("random", keep_weights=False).cells[0].key == key
    assert plan_of("prior").cells[0].key != key
    assert plan_of("random", settings={"toy-tree.samples": "70"}).cells[0].key != key
    assert plan_of("random", protocol='kind = "holdout"\ntest = 0.2').cells[0].key != key


def test_an_added_parameter_with_its_default_keeps_the_key() -> None:
    knn = default_registry().get("models", "knn")
    before = plan_of("knn").cells[0].key
    knn.params = {**knn.params, "fresh": Param(1, "came later", added=True)}
    try:
        assert plan_of("knn").cells[0].key == before
        assert plan_of("knn[fresh=2]").cells[0].key != before
    finally:
        knn.params = {name: param for name, param in knn.params.items() if name != "fresh"}


def test_of_a_file_its_content_counts_and_cosmetic_parameters_do_not(tmp_path: Path) -> None:
    for name, content in (("a", "1"), ("same", "1"), ("other", "2")):
        (tmp_path / name).write_text(content)
    weights = Param(False, "weights", file=True, type=str)
    params = {"weights": weights, "folder": Param("x", cosmetic=True), "kind": Param("k")}
    spec = ModelSpec(name="net", version="1", summary="", factory="m:f", params=params)
    plugin = SimpleNamespace(__name__="nets", hmcbench_models=hookimpl(lambda: [spec]))

    def key(options: str) -> str:
        suite = parse_suite(tiny_suite("keys", [f"net[{options}]" if options else "net"]), "s.toml")
        return make_plan(suite, registry, Choices()).cells[0].key

    with temporary_plugin(plugin) as registry:
        plain, file = key(""), key(f"weights={tmp_path / 'a'}")
        assert plain == key("folder=y") != key("kind=l")
        assert plain != file == key(f"weights={tmp_path / 'same'}") != key(f"weights={tmp_path / 'other'}")


@pytest.mark.parametrize(
    ("joint", "together"), [("", True), ("builtins:object", True), ("builtins:bool", False)]
)
def test_cells_that_are_fitted_together_are_a_group(joint: str, together: bool) -> None:
    values: dict[str, Any] = {"version": "1", "summary": "", "factory": "m:f"}
    specs = [ModelSpec(name="many", fit_many="m:g", joint=joint, **values), ModelSpec(name="alone", **values)]
    plugin = SimpleNamespace(__name__="others", hmcbench_models=hookimpl(lambda: specs))
    with temporary_plugin(plugin) as registry:
        plan = make_plan(
            parse_suite(tiny_suite("s", ["many", "alone"]), "s.toml"), registry, Choices(seeds=2)
        )
    assert [bool(cell.group) for cell in plan.cells] == [together, together, False, False]
    assert len({cell.group for cell in plan.cells}) == 1 + together


def test_modules_of_model_and_dataset_are_imported_before_a_cell_starts() -> None:
    prior = plan_of("prior").cells[0].preload
    assert prior == ("hmcbench_toy.models", "hmcbench_toy.data")
    assert "skops.io" in plan_of("knn").cells[0].preload, "which keeps a model of scikit-learn"
    assert "skops.io" not in plan_of("knn", keep_weights=False).cells[0].preload


@pytest.mark.skipif(find_spec("torch") is None, reason="needs torch")
def test_what_the_first_optimizer_of_torch_imports_is_imported_before_a_cell_starts() -> None:
    spec = ModelSpec(name="network", version="1", summary="", factory="m:f", requires=("torch",))
    with temporary_plugin(
        SimpleNamespace(__name__="t", hmcbench_models=hookimpl(lambda: [spec]))
    ) as registry:
        plan = make_plan(parse_suite(tiny_suite("s", ["network"]), "s.toml"), registry, Choices())
    assert plan.cells[0].preload[0] == "torch" and plan.cells[0].preload[-1] == "torch._dynamo"


def test_only_data_that_were_typed_are_given() -> None:
    assert plan_of("prior").cells[0].record["dataset"]["given"] is False


# --------------------------------------------------------------------------- what the command line changes


def test_typed_columns_and_the_typed_primary_metric() -> None:
    plain = plan_of("prior").suite
    assert (plain.primary, plain.columns) == ("hf1_samples", ("hf1_samples",))
    primary = plan_of("prior", primary="exact_match").suite
    assert (primary.primary, primary.columns) == ("exact_match", ("exact_match", "hf1_samples"))
    columns = plan_of("prior", columns=("hr_micro",)).suite
    assert (columns.primary, columns.columns) == ("hf1_samples", ("hr_micro",))


def test_folds_replace_the_split_of_a_suite_and_its_repeats() -> None:
    plan = plan_of("prior", protocol='kind = "holdout"\nrepeats = 2', folds=3)
    assert [(cell.record["split"]["kind"], cell.fold) for cell in plan.cells] == [
        ("kfold", k) for k in range(3)
    ]
    with pytest.raises(BadInput, match=r"--splits 2 and --folds 3\. Allowed: one of them"):
        plan_of("prior", splits=2, folds=3)


@pytest.mark.parametrize(
    ("kind", "splits", "expected"),
    [("kfold", 1, "holdout"), ("predefined", 1, "predefined"), ("predefined", 2, "holdout")],
)
def test_splits_replace_another_kind_only_where_they_must_and_may(
    kind: str, splits: int, expected: str
) -> None:
    plan = plan_of("prior", protocol=f'kind = "{kind}"', splits=splits, free_protocol=True)
    assert [cell.record["split"]["kind"] for cell in plan.cells] == [expected] * splits


def test_the_data_of_a_plan_without_its_models() -> None:
    suite = parse_suite(tiny_suite("keys", ["prior"]), "s.toml")
    changed, profile, data = plan_data(suite, default_registry(), Choices(splits=2))
    assert (changed.protocol.repeats, profile) == (2, "quick")
    assert [(each.reference, len(each.splits)) for each in data] == [("toy-tree", 2)]
    text = tiny_suite("keys", ["prior"]).replace("test = 0.3", "train_share = [0.5, 1.0]")
    several = parse_suite(text, "s.toml")
    with pytest.raises(BadInput, match="suite keys makes 2 tasks of toy-tree"):
        plan_data(several, default_registry(), Choices())


# --------------------------------------------------------------------------- other data


def test_far_unknowns_are_part_of_a_cell_and_of_its_key() -> None:
    plain = plan_of("prior").cells[0]
    near, far = (
        plan_of("prior", protocol=f'test = 0.3\nfar_unknown = "toy-tree[noise={noise}]"').cells[0]
        for noise in (2, 3)
    )
    assert plain.far is None
    assert "far_unknown" not in plain.record["split"]
    assert far.far is not None
    name, params = far.far
    assert (name, params["noise"]) == ("toy-tree", 3)
    assert far.record["split"]["far_unknown"] == "toy-tree[noise=3]"
    assert far.record["split"]["counts"]["far"] > 0
    assert len({plain.key, near.key, far.key}) == 3


def regression(columns: tuple[str, ...]) -> Plan:
    spec = DatasetSpec(
        name="numbers",
        task="regression",
        version="1",
        summary="",
        factory=lambda: tiny_dataset(60, "regression"),
        views=("table",),
    )
    plugin = SimpleNamespace(__name__="others", hmcbench_datasets=hookimpl(lambda: [spec]))
    text = tiny_suite("s", ["ridge"]).replace("toy-tree", "numbers").replace("hf1_samples", "r2")
    with temporary_plugin(plugin) as registry:
        return make_plan(parse_suite(text, "s.toml"), registry, Choices(columns=columns))


def test_ids_of_levels_classes_and_targets_that_the_data_have_are_accepted() -> None:
    assert plan_of("prior", columns=("class_f1[a1]", "level2_accuracy", "level{k}_accuracy")).cells
    (target, *_) = tiny_dataset(60, "regression").task.targets
    assert regression((f"target_r2[{target}]",)).cells
    with pytest.raises(BadInput, match="unknown class or target"):
        regression(("target_r2[nothing]",))
    with pytest.raises(BadInput, match="the data have 0 levels"):
        regression(("level1_accuracy",))


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ({"columns": ("class_f1[nobody]",)}, r"unknown class or target in class_f1\[nobody\] 'nobody'"),
        ({"columns": ("level3_accuracy",)}, "the data have 2 levels. Allowed: levels 1 to 2"),
        ({"primary": "level9_f1_macro_raw"}, "the data have 2 levels"),
    ],
)
def test_a_typed_id_that_no_data_have_is_refused(names: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        plan_of("prior", **names)


def test_only_other_thresholds_of_several_paths_change_the_key() -> None:
    def keys(decisions: str) -> dict[str, str]:
        text = f"{decisions}\n{tiny_suite('keys', ['random'])}"
        suite = parse_suite(text.replace('"toy-tree"', '"toy-tree", "toy-dag"'), "s.toml")
        plan = make_plan(suite, default_registry(), Choices())
        assert all(cell.rules == suite.decisions.rules for cell in plan.cells)
        return {cell.dataset: cell.key for cell in plan.cells}

    usual = keys("")
    assert keys('[decisions]\nthresholds = "shared"\nrules = ["map"]') == usual
    levels, classes = (
        keys('[decisions]\nthresholds = "per_level"'),
        keys('[decisions]\nthresholds = "per_class"'),
    )
    assert len({usual["toy-dag"], levels["toy-dag"], classes["toy-dag"]}) == 3
    assert usual["toy-tree"] == levels["toy-tree"] == classes["toy-tree"]


def test_an_unknown_rule_is_refused_before_anything_runs() -> None:
    suite = parse_suite('[decisions]\nrules = ["mapp"]\n' + tiny_suite("s", ["prior"]), "s.toml")
    with pytest.raises(BadInput, match="did you mean 'map'"):
        make_plan(suite, default_registry(), Choices())


def test_more_splits_add_cells_and_keep_the_keys_of_the_others() -> None:
    first, three = (plan_of("prior", splits=n).cells for n in (1, 3))
    assert [cell.key for cell in three][:1] == [cell.key for cell in first]
    assert [cell.fold for cell in three] == [0, 1, 2]
    assert len({cell.record["split"]["fingerprint"] for cell in three}) == 3
    with pytest.raises(BadInput, match="--splits 3: repeats = 3 of a kfold split"):
        plan_of("prior", protocol='kind = "kfold"', splits=3)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"views": ("image",)}, "needs the view 'image'"),
        ({"requires": ("no_such",), "extra": "vision"}, "needs no_such (pip install 'hmcbench[vision]')"),
        ({"tasks": ("regression",)}, "does regression, the dataset is hmc"),
        ({"paths": ("multiple",)}, "takes multiple label paths, the dataset has single"),
        ({"depths": ("ragged",)}, "takes labels of ragged depth, the dataset's are full"),
    ],
)
def test_a_model_that_does_not_apply_is_listed_with_the_reason(values: dict[str, Any], reason: str) -> None:
    spec = ModelSpec(name="other", version="1", summary="", factory="m:f", **values)
    plugin = SimpleNamespace(__name__="others", hmcbench_models=hookimpl(lambda: [spec]))
    with temporary_plugin(plugin) as registry:
        suite = parse_suite(tiny_suite("pairs", ["prior", "other"]), "s.toml")
        plan = make_plan(suite, registry, Choices())
    assert [cell.label for cell in plan.cells] == ["prior"]
    (pair,) = plan.info()["not_applicable"]
    assert (pair["dataset"], pair["model"], pair["profile"]) == ("toy-tree", "other", "quick")
    assert reason in pair["reason"]


# --------------------------------------------------------------------------- samples put apart


def test_a_calibration_side_makes_other_cells_and_alpha_does_not() -> None:
    plain = plan_of("prior").cells[0]
    apart, other = (
        plan_of("prior", protocol=f"test = 0.3\ncalibration = 0.2\n[decisions]\nalpha = {alpha}").cells[0]
        for alpha in (0.1, 0.2)
    )
    assert "calibration" not in plain.record["split"]
    assert apart.record["split"]["counts"]["calibration"] == 28
    assert plain.key != apart.key == other.key
    assert (plain.alpha, apart.alpha, other.alpha) == (0.05, 0.1, 0.2)


def test_too_few_samples_for_alpha_are_refused_before_anything_runs() -> None:
    with pytest.raises(BadInput, match=r"puts 14 samples apart, too few for alpha = 0\.05") as error:
        plan_of("prior", protocol="test = 0.3\ncalibration = 0.1")
    assert "at least 19 samples" in str(error.value)
    for alpha in (0, 1):
        with pytest.raises(BadInput, match="above 0 and below 1"):
            plan_of("prior", protocol=f"test = 0.3\n[decisions]\nalpha = {alpha}")


# --------------------------------------------------------------------------- several boards of one suite


def test_shares_and_noise_are_cells_of_their_own_beside_the_plain_ones() -> None:
    plain = plan_of("prior").cells[0]
    plan = plan_of("prior", protocol="test = 0.3\ntrain_share = [0.3, 1.0]\nlabel_noise = [0, 0.2]")
    assert len(plan.cells) == len({cell.key for cell in plan.cells}) == 3
    by_setting = [
        (c.record["split"].get("train_share"), c.record["split"].get("label_noise")) for c in plan.cells
    ]
    assert by_setting == [([0.3], None), (None, None), (None, [0.2])]
    assert plan.cells[1].key == plain.key
    expected = [cell.get("varied") for cell in plan.info()["cells"]]
    assert expected == [{"train_share": [0.3]}, None, {"label_noise": [0.2], "noise_to": "sibling"}]
    other = plan_of("prior", protocol='test = 0.3\nlabel_noise = [0.2]\nnoise_to = "any"').cells[0]
    assert other.key != plan.cells[2].key


def test_each_leaf_is_unknown_in_turn() -> None:
    plan = plan_of("prior", "knn", protocol='test = 0.3\nunknown = "each"')
    names = [cell.record["split"]["unknown"] for cell in plan.cells if cell.label == "knn"]
    assert names == [["a1"], ["a2"], ["b1"], ["b2"], ["b3"]]
    assert {cell.record["dataset"]["classes"] for cell in plan.cells} == {6}
    assert len({cell.record["dataset"]["fingerprint"] for cell in plan.cells}) == 1


@pytest.mark.parametrize(
    ("protocol", "says"),
    [
        ('unknown = ["a3"]', "unknown class 'a3'"),
        ('unknown = ["a1", "a2"]', "only class of a"),
        ("train_share = [0.01]", "leaves 3 classes|leaves 4 classes|leaves 5 classes|leaves . classes"),
        ("train_share = [0.0]", "above 0, up to 1"),
        ("label_noise = [1.0]", "from 0, below 1"),
        ('label_noise = [0.1]\nnoise_to = "siblings"', "did you mean 'sibling'"),
        ('train_share = "a tenth"', "a list of numbers"),
        ("calibration = 0.95", "leave something to train on"),
    ],
)
def test_bad_protocols_are_refused_in_one_line(protocol: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as error:
        plan_of("prior", protocol=f"test = 0.3\n{protocol}")
    assert "\n" not in str(error.value)
