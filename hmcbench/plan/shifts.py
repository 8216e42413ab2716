"""Which shifts the cells of a plan predict: ``--shifts`` and ``[[shifts]]`` of a suite.

They are no part of a cell's key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from hmcbench.data.shifts import ShiftChoice, shift_choice
from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.plan.choices import Choices
from hmcbench.plan.suite import Suite
from hmcbench.registry.registry import Registry, missing, parse_reference

NONE, ALL = "none", "all"


def shifts_of_suite(suite: Suite, registry: Registry) -> list[ShiftChoice]:
    """The shifts that a suite names.

    Raises:
        BadInput: an unknown shift, or severities or samples that cannot be used.
    """
    choices = []
    for entry in suite.shifts:
        try:
            severities, samples = entry.get("severities", ()), entry.get("samples")
            choices.append(shift_choice(registry, entry["name"], severities, samples))
        except HmcbenchError as error:
            where = f"suite {suite.name} [[shifts]]: {error.what}"
            raise BadInput(where, allowed=error.allowed, hint=error.hint) from None
    labels = [choice.label for choice in choices]
    twice = next((label for label in labels if labels.count(label) > 1), "")
    if twice:
        raise BadInput(f"suite {suite.name} [[shifts]]: {twice} is named twice", allowed="every shift once")
    return choices


def chosen_shifts(suite: Suite, registry: Registry, names: Sequence[str]) -> list[ShiftChoice]:
    """The shifts that ``--shifts`` asks for, before it is known whether a model reads their views.

    Args:
        names: references; of the suite's shifts also patterns. ``all``: those of the suite, or where it names
            none, all that are installed. Empty, or ``none``: none.
    """
    of_suite = shifts_of_suite(suite, registry)
    if not names or list(names) == [NONE]:
        return []
    if NONE in names or (ALL in names and len(names) > 1):
        raise BadInput(f"--shifts {' '.join(names)}", allowed="none, all, or names of shifts")
    if ALL in names:
        return of_suite or [
            shift_choice(registry, s.name) for s in registry.specs("shifts") if not missing(s)
        ]
    chosen: dict[str, ShiftChoice] = {}
    for name in names:
        fitting = [c for c in of_suite if name in (c.label, c.name) or fnmatchcase(c.label, name)]
        if not fitting and any(mark in name for mark in "*?"):
            installed = [s.name for s in registry.specs("shifts")]
            fitting = [shift_choice(registry, n) for n in installed if fnmatchcase(n, name)]
        for choice in fitting or [shift_choice(registry, str(parse_reference(name)))]:
            chosen[choice.label] = choice
    return list(chosen.values())


def applicable_shifts(
    suite: Suite, choices: Choices, shifts: Sequence[ShiftChoice], read: Mapping[str, frozenset[str]]
) -> dict[str, tuple[ShiftChoice, ...]]:
    """Dataset -> the shifts that change a view which a model of the plan reads.

    Args:
        shifts: of :func:`chosen_shifts`.
        read: dataset -> views of it that models read; without datasets that label every pixel.

    Raises:
        BadInput: a shift that the user or the suite names, or all of them, change nothing that is read.
    """
    if not shifts:
        return {}
    if not read:
        raise BadInput(
            "--shifts: no model applies, or the data have a label for every pixel",
            allowed="data whose samples have labels",
        )
    used = {name: tuple(s for s in shifts if frozenset(s.views) & views) for name, views in read.items()}
    applied = {shift.label for of_data in used.values() for shift in of_data}
    idle = [shift for shift in shifts if shift.label not in applied]
    whole = bool(suite.shifts) and not (choices.models or choices.datasets)
    if idle and (whole or ALL not in choices.shifts or not applied):
        views = ", ".join(sorted(frozenset[str]().union(*read.values())))
        raise BadInput(
            f"the shift {idle[0].label} changes {' or '.join(idle[0].views)}, which no model here reads",
            allowed=f"shifts of {views}" if views else "models that read a view",
            hint="hmcbench list shifts shows the views of all",
        )
    return used
