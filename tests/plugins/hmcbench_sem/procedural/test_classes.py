"""Which classes are drawn with which looks, and every way to say it wrongly."""

from __future__ import annotations

import pytest
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.procedural.classes import drawable, looks_by_name, parse_looks, pictures_of
from hmcbench_sem.surfaces.looks import BY_NAME, LOOKS, of_leaf

from hmcbench.errors import BadInput
from hmcbench.hierarchy.hierarchy import Hierarchy

TI64 = Hierarchy.from_edges(
    [("", "fracture"), ("", "background"), ("fracture", "ductile"), ("fracture", "brittle")]
)


@pytest.mark.parametrize(
    ("name", "looks"),
    [
        ("ductile", ("dimples",)),
        ("Ductile_Fracture", ("dimples",)),
        ("Dimple rupture", ("dimples",)),
        ("Quasi Cleavage", ("quasi-cleavage",)),
        ("Beach Marks", ("beach-marks",)),
        ("striation", ("striations",)),
        ("Fatigue failure", ("striations", "beach-marks")),
        ("intergranular", ("intergranular",)),
        ("machined", ("machined",)),
        ("fracture", ()),
        ("background", ()),
        ("MP", ()),
        ("", ()),
    ],
)
def test_a_name_tells_the_looks(name: str, looks: tuple[str, ...]) -> None:
    assert looks_by_name(name) == looks


def test_every_look_and_every_class_of_the_generator_is_drawn_by_its_own_name() -> None:
    for name in BY_NAME:
        assert looks_by_name(name) == (name,)
    for leaf in LEAF_IDS:
        assert looks_by_name(leaf.rpartition("/")[2]) == tuple(look.name for look in of_leaf(leaf))


def test_classes_without_a_mechanism_are_not_drawn() -> None:
    assert drawable(TI64, "") == {
        "ductile": ("dimples",),
        "brittle": ("cleavage", "quasi-cleavage", "intergranular"),
    }


def test_what_the_user_says_comes_before_the_name() -> None:
    said = "brittle:shear-facets + cleavage; background:machined ;ductile:none"
    assert drawable(TI64, said) == {
        "background": ("machined",),
        "brittle": ("shear-facets", "cleavage"),
    }
    assert drawable(TI64, "*ile:glaze;ductile:dimples")["ductile"] == ("glaze",)  # the first that fits


def test_a_class_is_named_by_its_id_or_by_the_end_of_it() -> None:
    paths = Hierarchy.from_paths([["MP", "SS"], ["IM", "SS"], ["IM", "B2"]])
    assert set(drawable(paths, "SS:dimples")) == {"MP/SS", "IM/SS"}
    assert set(drawable(paths, "IM/SS:dimples")) == {"IM/SS"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("britle:cleavage", r"unknown class in looks 'britle'; did you mean 'brittle'\? Allowed: background"),
        ("brittle:clevage", "unknown look 'clevage'; did you mean 'cleavage'"),
        ("brittle:none+cleavage", "unknown look 'none'"),
        ("brittle", "looks: 'brittle' cannot be read. Allowed: CLASS:LOOK, CLASS:LOOK"),
        (":cleavage", "':cleavage' cannot be read"),
        ("brittle:cleavage+", "'brittle:cleavage\\+' cannot be read"),
        (
            "ductile:none;brittle:none",
            "none of the classes .*ductile.* can be drawn by its name. Allowed: names such as ductile, .*"
            r"say which class shows which: procedural:MODEL\[looks=CLASS:dimples",
        ),
    ],
)
def test_what_cannot_be_drawn_is_one_line(text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        drawable(TI64, text)
    assert "\n" not in str(caught.value)


def test_a_long_list_of_classes_is_cut() -> None:
    with pytest.raises(BadInput, match="c0, c1, c10, c11, c12, c13, c14, c15 and 12 more can be drawn"):
        drawable(Hierarchy.from_edges([("", f"c{i}") for i in range(20)]), "")


def test_a_text_of_nothing_says_nothing() -> None:
    assert parse_looks(" ; ") == parse_looks("") == {}


def test_a_set_is_drawn_where_all_its_classes_are() -> None:
    drawn = drawable(TI64, "background:machined")
    assert pictures_of(["ductile"], drawn) == {("dimples",): 1.0}
    assert pictures_of([], drawn) == {}
    assert pictures_of(["fracture"], drawn) == {}
    assert pictures_of(["ductile", "fracture"], drawn) == {}
    both = pictures_of(["ductile", "brittle"], drawn)
    assert sum(both.values()) == pytest.approx(1)
    assert set(both) == {("dimples", second) for second in drawn["brittle"]}
    share = {look.name: look.share for look in LOOKS}
    ratio = both["dimples", "cleavage"] / both["dimples", "intergranular"]
    assert ratio == pytest.approx(share["cleavage"] / share["intergranular"])


def test_looks_that_no_magnification_shows_together_are_not_combined() -> None:
    apart = {"a": ("striations",), "b": ("beach-marks",), "c": ("beach-marks", "dimples")}
    assert pictures_of(["a", "b"], apart) == {}
    assert pictures_of(["a", "c"], apart) == {("striations", "dimples"): 1.0}


def test_classes_with_one_look_share_a_surface_and_four_looks_are_too_many() -> None:
    looks = dict.fromkeys("abcd", ("dimples",))
    assert pictures_of(list("abcd"), looks) == {("dimples",): 1.0}
    four = dict(zip("abcd", [("dimples",), ("cleavage",), ("intergranular",), ("machined",)], strict=True))
    assert pictures_of(list("abcd"), four) == {}
    assert pictures_of(list("abc"), four) != {}
