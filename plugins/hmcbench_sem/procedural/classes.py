"""Which classes of a task can be drawn, and with which looks: by their names, or as the user says."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from hmcbench import Task
from hmcbench.data.borrowed import check_image_model
from hmcbench.errors import BadInput, unknown
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Value
from hmcbench_sem.fractographs.taxonomy import LEAF_IDS
from hmcbench_sem.surfaces.generate import OVERLAP
from hmcbench_sem.surfaces.looks import BY_NAME, of_leaf

Looks = tuple[str, ...]
"""Names of looks (:data:`hmcbench_sem.surfaces.looks.BY_NAME`)."""

MOST = 3  # looks in one picture
NONE = "none"  # in place of looks: the class is not drawn
FORM = "CLASS:LOOK, CLASS:LOOK+LOOK or CLASS:none, joined by ;"
UNSAID = {"fracture", "failure", "rupture"}  # words of a class name that say nothing of its look

WORDS: Mapping[str, Looks] = {
    **{name: (name,) for name in BY_NAME},
    **{leaf.rpartition("/")[2]: tuple(look.name for look in of_leaf(leaf)) for leaf in LEAF_IDS},
    "ductile": ("dimples",),
    "dimpled": ("dimples",),
    "microvoid-coalescence": ("dimples",),
    "brittle": ("cleavage", "quasi-cleavage", "intergranular"),
    "transgranular": ("cleavage",),
}
"""Class name -> looks, where the user says nothing else."""


def looks_by_name(name: str) -> Looks:
    """The looks of a class by its name; empty where it tells none.

    Case, plural, and words such as ``fracture`` do not count.

    >>> looks_by_name("Ductile fracture"), looks_by_name("Dimples"), looks_by_name("background")
    (('dimples',), ('dimples',), ())
    """
    words = [word for word in re.findall("[a-z0-9]+", name.lower()) if word not in UNSAID]
    return _SINGULAR.get("-".join(words).removesuffix("s"), ())


_SINGULAR = {word.removesuffix("s"): looks for word, looks in WORDS.items()}


def parse_looks(text: str) -> dict[str, Looks]:
    """The parameter ``looks``: class, or shell pattern of classes -> looks.

    >>> parse_looks("brittle:cleavage+shear-facets;background:none")
    {'brittle': ('cleavage', 'shear-facets'), 'background': ()}

    Raises:
        BadInput: a text of another form, or a look that there is not.
    """
    chosen: dict[str, Looks] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        name, _, listed = (piece.strip() for piece in part.rpartition(":"))
        looks = tuple(look.strip() for look in listed.split("+"))
        if not name or not all(looks):
            raise BadInput(f"looks: {part!r} cannot be read", allowed=FORM)
        for look in looks:
            if look not in BY_NAME and looks != (NONE,):
                raise unknown("look", look, [*BY_NAME, NONE])
        chosen[name] = () if looks == (NONE,) else looks
    return chosen


def drawable(hierarchy: Hierarchy, text: str) -> dict[str, Looks]:
    """Class -> its looks, of the classes that can be drawn.

    Args:
        text: the parameter ``looks``. A class is named by its id, its name, or a shell pattern of them; the
            first entry that fits counts. Classes that it does not name are drawn by their names.

    Raises:
        BadInput: it names a class that there is not, or no class can be drawn.
    """
    chosen = parse_looks(text)
    both = list(zip(hierarchy.classes, hierarchy.names, strict=True))
    for pattern in chosen:
        if not any(_fits(pattern, pair) for pair in both):
            raise unknown("class in looks", pattern, dict.fromkeys(itertools.chain(*both)))
    looks_of = {}
    for pair in both:
        said = next((looks for pattern, looks in chosen.items() if _fits(pattern, pair)), None)
        looks_of[pair[0]] = looks_by_name(pair[1]) if said is None else said
    drawn = {name: looks for name, looks in looks_of.items() if looks}
    if not drawn:
        more = f" and {len(both) - 8} more" if len(both) > 8 else ""
        raise BadInput(
            f"none of the classes {', '.join(hierarchy.names[:8])}{more} can be drawn by its name",
            allowed=f"names such as ductile, brittle or fatigue, or looks: {', '.join(BY_NAME)}",
            hint="say which class shows which: procedural:MODEL[looks=CLASS:dimples;CLASS:cleavage+glaze]",
        )
    return drawn


def _fits(pattern: str, names: tuple[str, str]) -> bool:
    return any(pattern == name or fnmatchcase(name, pattern) for name in names)


def pictures_of(labels: Sequence[str], drawn: Mapping[str, Looks]) -> dict[Looks, float]:
    """The combinations of looks that show a set of classes, and how often each is drawn (sums to 1).

    Looks that cannot be seen at one magnification are not combined.

    Args:
        labels: the most specific classes of a sample.
        drawn: see :func:`drawable`.

    Returns:
        Empty where the set cannot be drawn: it is empty, one of its classes cannot, or no combination is
        possible.
    """
    if not labels or not all(label in drawn for label in labels):
        return {}
    weights: dict[Looks, float] = {}
    for choice in itertools.product(*(drawn[label] for label in labels)):
        looks = tuple(dict.fromkeys(choice))
        if len(looks) <= MOST and _seen_together(looks):
            weight = math.prod(BY_NAME[look].share or 1.0 for look in choice)
            weights[looks] = weights.get(looks, 0.0) + weight
    total = sum(weights.values())
    return {looks: weight / total for looks, weight in weights.items()}


def _seen_together(looks: Looks) -> bool:
    widths = [BY_NAME[look].width for look in looks]
    narrow, wide = max(width[0] for width in widths), min(width[1] for width in widths)
    return len(looks) == 1 or wide >= OVERLAP * narrow


def check(*, task: Task, model: str, looks: str, **params: Value) -> None:
    """Before a run: the parameters of ``procedural``, also those of its model, suit the task.

    Raises:
        BadInput: see :func:`drawable`; or the model refuses its parameters.
    """
    assert task.hierarchy is not None
    drawable(task.hierarchy, looks)
    check_image_model(model, params)
