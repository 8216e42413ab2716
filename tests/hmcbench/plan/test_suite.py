from __future__ import annotations

from pathlib import Path

import pytest

from hmcbench.errors import BadInput
from hmcbench.plan.suite import Decisions, load_suite, parse_suite
from hmcbench.registry.registry import default_registry

GOOD = """
[suite]
name = "s"
version = 2
summary = "a suite"
datasets = ["toy-tree"]
primary = "hf1_samples"
columns = ["hf1_samples", "level1_accuracy"]
[protocol]
kind = "kfold"
folds = 3
[profiles.quick]
models = ["prior"]
time_limit = 10
[profiles.paper]
models = ["prior", "random"]
seeds = 5
[[published]]
model = "M"
source = "a paper"
metrics = {hf1_samples = 0.9}
"""


def test_a_good_file_is_read_with_its_defaults() -> None:
    suite = parse_suite(GOOD, "s.toml")
    assert suite.default_profile == "quick"
    assert suite.profiles["quick"].time_limit == 10.0
    assert suite.profiles["quick"].seeds == 1
    assert suite.profiles["paper"].models == ("prior", "random")
    assert suite.protocol.folds == 3
    assert suite.protocol.validation == 0.1
    assert suite.info()["published"][0]["model"] == "M"
    assert suite.info()["suite"]["primary"] == "hf1_samples"


def test_decisions_are_read_and_kept_only_where_they_are_named() -> None:
    assert "decisions" not in parse_suite(GOOD, "s.toml").info()["suite"]
    table = '[decisions]\nthresholds = "per_level"\nrules = ["map", "cssa[k=3]"]\n'
    suite = parse_suite(table + GOOD, "s.toml")
    assert suite.decisions == Decisions("per_level", ("map", "cssa[k=3]"))
    assert suite.decisions.alpha == 0.05
    assert suite.info()["suite"]["decisions"] == {"thresholds": "per_level", "rules": ("map", "cssa[k=3]")}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "[protocol]",
            '[decisions]\nthresholds = "each"\n[protocol]',
            "'shared' or 'per_level' or 'per_class'",
        ),
        ("[protocol]", "[decisions]\nrule = []\n[protocol]", "did you mean 'rules'"),
        ('name = "s"', "", "lacks name"),
        ("version = 2", 'version = "2"', "version must be a whole number"),
        ("version = 2", "version = 2\nverison = 3", "did you mean 'version'"),
        ("[protocol]", "[protocoll]", "did you mean 'protocol'"),
        ('kind = "kfold"', 'kind = "kfolds"', "did you mean 'kfold'"),
        ("folds = 3", "folds = 1", "at least 2"),
        ("folds = 3", "repeats = 2", "more than 1 for holdout only"),
        ("folds = 3", "test = 1.5", "shares between 0 and 1"),
        ("folds = 3", "test = 0.6\nvalidation = 0.5", "leave something to train on"),
        ("folds = 3", "unknown = 3", "names of classes in brackets"),
        ("folds = 3", 'unknown = ["a", 3]', "names of classes in brackets"),
        ("folds = 3", 'unknown = ["each", "each"]', '"each" alone, or names of classes'),
        ("[profiles.quick]", "[profiles.fast]", "unknown profile"),
        ('models = ["prior"]', "models = []", "lacks models"),
        ('models = ["prior"]', "models = [1]", "a list of text"),
        ('models = ["prior"]', 'models = "prior"', "models must be a list"),
        ("time_limit = 10", "time_limit = -1", "must be positive"),
        ("time_limit = 10", f"time_limit = 1{'0' * 400}", "time_limit must be a number"),
        ("seeds = 5", "seeds = 0", "must be positive"),
        ('models = ["prior"]', 'models = [{ model = "prior" }]', "models lacks label"),
        ('models = ["prior"]', 'models = [{ model = "prior", name = "P" }]', "unknown key in s.toml"),
        (
            'models = ["prior"]',
            f'models = [{{ model = "prior", label = "{"P" * 41}" }}]',
            "up to 40 printable",
        ),
        ('models = ["prior"]', 'models = [{ model = "prior", label = "P\\n" }]', "no blanks around them"),
        (
            '["prior", "random"]',
            '["prior", { model = "random", label = "prior" }]',
            "two models are called 'prior'",
        ),
        (
            '["prior", "random"]',
            '[{ model = "prior", label = "P" }, { model = "random", label = "P" }]',
            "[profiles.paper]: two models are called 'P'",
        ),
        ('source = "a paper"', 'dataset = "toy-tre"', "did you mean 'toy-tree'"),
        ('datasets = ["toy-tree"]', 'datasets = ["toy-tree", "toy-dag"]', "M names no dataset"),
        ('source = "a paper"', 'sourc = "a paper"', "did you mean 'source'"),
        ("hf1_samples = 0.9}", 'hf1_samples = "0.9"}', "metrics must be a table"),
        ("hf1_samples = 0.9}", "hf1_samples = true}", "metrics must be a table"),
        ("folds = 3", "folds = true", "folds must be a whole number"),
        ("[suite]", "[suite", "is not TOML"),
        ("time_limit = 10", "time_limit = nan", "must be positive"),
        ("time_limit = 10", "time_limit = inf", "must be positive"),
        ("time_limit = 10", "memory_mb = -1", "memory_mb = -1. Allowed: 0 or more"),
        ("time_limit = 10", "epochs_for = -5", "epochs_for = -5. Allowed: 0 or more"),
        ('["prior", "random"]', '["prior", "random", "prior"]', "models names prior twice"),
        (
            '["prior", "random"]',
            '[{ model = "prior", label = "A" }, { model = "prior", label = "B" }]',
            "[profiles.paper]: models names prior twice",
        ),
    ],
)
def test_a_bad_file_is_one_line_that_says_where(old: str, new: str, says: str) -> None:
    assert old in GOOD
    with pytest.raises(BadInput) as error:
        parse_suite(GOOD.replace(old, new, 1), "s.toml")
    assert says in str(error.value)
    assert "s.toml" in str(error.value)
    assert "\n" not in str(error.value)


def test_an_entry_may_have_a_label() -> None:
    entries = '["prior", { model = "random[seed=1]", label = "Random" }]'
    suite = parse_suite(GOOD.replace('["prior"]', entries, 1), "s.toml")
    assert suite.profiles["quick"].models == ("prior", "random[seed=1]")
    assert suite.profiles["quick"].labels == {"random[seed=1]": "Random"}
    assert suite.published[0]["dataset"] == "toy-tree"


def test_a_label_stands_for_one_model_in_all_profiles() -> None:
    text = GOOD.replace('["prior"]', '[{ model = "prior", label = "P" }]', 1)
    same = text.replace('["prior", "random"]', '[{ model = "prior[x=1]", label = "P" }]')
    assert parse_suite(same, "s.toml").profiles["paper"].labels == {"prior[x=1]": "P"}
    with pytest.raises(BadInput, match="label 'P' stands for prior and for random"):
        parse_suite(text.replace('["prior", "random"]', '[{ model = "random", label = "P" }]'), "s.toml")


def test_a_suite_without_profiles_is_refused() -> None:
    with pytest.raises(BadInput, match="profiles"):
        parse_suite(GOOD.split("[profiles.quick]")[0], "s.toml")


def test_suites_load_by_name_and_by_file(tmp_path: Path) -> None:
    registry = default_registry()
    for spec in registry.specs("suites"):
        assert load_suite(registry, spec.name).name == spec.name
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert load_suite(registry, str(path)).name == "s"
    with pytest.raises(BadInput, match="cannot be read"):
        load_suite(registry, str(tmp_path / "none.toml"))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match="UTF-8"):
        load_suite(registry, str(path))
    with pytest.raises(BadInput, match="unknown suite"):
        load_suite(registry, "no-such-suite")


@pytest.mark.parametrize(
    ("start", "text", "says"),
    [
        ("[profiles.quick]", '[[profiles]]\nmodels = ["prior"]\n', "profiles must be tables"),
        ("[profiles.quick]", "", "has no [profiles.NAME]"),
        ("[[published]]", "[published]\nmodel = 3\n", "published must be tables"),
    ],
)
def test_tables_of_another_kind_are_refused(start: str, text: str, says: str) -> None:
    with pytest.raises(BadInput) as error:
        parse_suite(GOOD.partition(start)[0] + text, "s.toml")
    assert says in str(error.value)


@pytest.mark.parametrize(
    "line", ['profiles = "quick"', "published = 3", "published = [3]", "profiles = {quick = 3}"]
)
def test_values_where_tables_belong_are_refused(line: str) -> None:
    kept = "[profiles.quick]" if line.startswith("published") else "[[published]]"
    end = "" if line.startswith("profiles") else '[profiles.quick]\nmodels = ["prior"]\n'
    assert kept in GOOD
    with pytest.raises(BadInput, match=r"must be (a )?table") as error:
        parse_suite(line + "\n" + GOOD.partition("[profiles.quick]")[0] + end, "s.toml")
    assert "\n" not in str(error.value)
