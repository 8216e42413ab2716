"""The parts of a column's id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hmcbench.leaderboard.columns import DROP, SHIFT, split_ids, split_side

PLAIN = st.text("ab@/ 8", min_size=1)
NESTED = st.recursive(PLAIN, lambda inner: st.lists(st.one_of(PLAIN, inner.map("[{}]".format))).map("".join))
SIDES = st.text("ab@[]/ 8", min_size=1)


@pytest.mark.parametrize(
    ("column", "parts"),
    [
        ("hf1_macro", ("hf1_macro", "")),
        ("hf1_macro@test [900 C]", ("hf1_macro", "test [900 C]")),
        ("hf1_macro@test [900 C]-drop", ("hf1_macro", "test [900 C]-drop")),
        ("class_f1[a@b]", ("class_f1[a@b]", "")),
        ("class_f1[a/b]@shifted", ("class_f1[a/b]", "shifted")),
        ("class_f1[a@b]@test [900 C]", ("class_f1[a@b]", "test [900 C]")),
        ("class_f1[steel [800 C]@air]@[x]", ("class_f1[steel [800 C]@air]", "[x]")),
        ("class_f1[a]b]", ("class_f1[a]b]", "")),
        ("class_f1[a[b]@shifted", ("class_f1[a[b]", "shifted")),
    ],
)
def test_brackets_and_at_signs_in_names(column: str, parts: tuple[str, str]) -> None:
    assert split_side(column) == parts


@given(metric=st.just("hf1_macro") | NESTED.map("class_f1[{}]".format), side=SIDES)
def test_a_side_is_cut_off_whatever_it_is_called(metric: str, side: str) -> None:
    """And whatever the class is called, where each of its brackets has its counterpart."""
    assert split_side(metric) == (metric, "")
    assert split_side(f"{metric}{SHIFT}{side}{DROP}") == (metric, side + DROP)


@given(
    member=st.text("ab@[]/ 8", min_size=1).filter(lambda text: "]@" not in text),
    side=st.text("ab@[/ 8", min_size=1),
)
def test_brackets_without_a_counterpart_belong_to_the_class(member: str, side: str) -> None:
    metric = f"class_f1[{member}]"
    assert split_side(metric) == (metric, "")
    assert split_side(f"{metric}{SHIFT}{side}") == (metric, side)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", ()),
        (" , ,", ()),
        ("hf1_macro, level{k}_accuracy ,", ("hf1_macro", "level{k}_accuracy")),
        ("class_f1[a,b],hf1_macro", ("class_f1[a,b]", "hf1_macro")),
        ("class_f1[steel [800 C], air],hf1_macro", ("class_f1[steel [800 C], air]", "hf1_macro")),
        ("hf1_macro@test [900, 950 C], mae", ("hf1_macro@test [900, 950 C]", "mae")),
        ("class_f1[a[b,c],hf1_macro", ("class_f1[a[b,c]", "hf1_macro")),
        ("class_f1[a,hf1_macro", ("class_f1[a", "hf1_macro")),
    ],
)
def test_ids_are_split_at_the_commas_outside_their_brackets(text: str, ids: tuple[str, ...]) -> None:
    assert split_ids(text) == ids


@given(st.lists(st.sampled_from(["hf1_macro", "mae"]) | NESTED.map("class_f1[{}, 8]".format), max_size=4))
def test_whatever_the_classes_are_called(ids: list[str]) -> None:
    assert split_ids(",".join(ids)) == tuple(ids)
