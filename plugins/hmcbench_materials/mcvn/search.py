"""MCVN with a search: 12 candidates, as the other models of tables have, all of them trained in banks."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.files import write_atomic
from hmcbench.interfaces import Fit, Inputs, Labelled, Run, Scores, Value
from hmcbench.sklearnkit.search import Choice, Space, candidates, describe, losses
from hmcbench.torchkit.weights import ALLOWED
from hmcbench_materials.mcvn.model import Mcvn, fit_together, refit_together

BUDGET = 12
SPACES: Mapping[str, Space] = {
    "own": {
        "learning_rate": (1e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2),
        "weight_decay": (0.0, 0.03, 0.1, 0.3),
        "batch_size": (16, 32, 64),
    },
    "released": {  # the authors searched a grid of learning rates and name no values
        "learning_rate": (1e-4, 2e-4, 3e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2, 2e-2, 3e-2, 5e-2)
    },
}
SETTINGS = "search.json"


def create(
    *, attention: str = "batch", recipe: str = "own", tuned: bool = False, **params: Any
) -> Mcvn | TunedMcvn:
    """The factory of ``mcvn``, and of ``mcvn-transductive``, which leaves ``attention`` out."""
    params["attention"] = attention
    return TunedMcvn(SPACES[recipe], params) if tuned else Mcvn(**params)


class TunedMcvn:
    """Implements :class:`hmcbench.interfaces.Model`: every target takes the candidate that is best for it.

    Candidates are trained on the training samples and compared on the validation samples; those that are
    chosen are then trained on both, where MCVN does that and no second fit follows (:meth:`refit`).
    """

    def __init__(self, space: Space, params: Mapping[str, Any]) -> None:
        self._space, self._params = space, params
        self._choices: list[Choice] = []
        self._facts: dict[str, Value] = {}
        self._parts: list[tuple[Mcvn, list[int]]] = []

    def fit(self, train: Labelled, valid: Labelled, run: Run) -> None:
        """See the class; without validation samples the parameters stay as they are."""
        (outcome,) = fit_many([Fit(self, train, valid, run)])
        if outcome is not None:
            raise outcome

    def refit(self, train: Labelled, run: Run) -> None:
        """Train what ``fit`` chose on ``train``, which holds its validation samples too."""
        refit_together([model for model, _targets in self._parts], train, run)

    def predict(self, inputs: Inputs) -> Scores:
        """As :meth:`Mcvn.predict`."""
        scores = [(model.predict(inputs), targets) for model, targets in self._parts]
        first = scores[0][0]
        for further, targets in scores[1:]:
            first.values[:, targets] = further.values[:, targets]
        return first

    def describe(self) -> Mapping[str, Value]:
        """As :meth:`Mcvn.describe`; what was chosen, from how many, and in how many seconds."""
        numbers = [model.describe() for model, _targets in self._parts]
        totals = {name: sum(int(str(n[name])) for n in numbers) for name in ("parameters", "networks")}
        return {**numbers[0], **totals, **self._facts}

    def save(self, folder: Path) -> None:
        """One folder for each chosen candidate, and ``search.json``."""
        for k, (model, _targets) in enumerate(self._parts):
            (folder / f"part-{k}").mkdir()
            model.save(folder / f"part-{k}")
        settings = {"targets": [targets for _model, targets in self._parts], "facts": self._facts}
        write_atomic(folder / SETTINGS, json.dumps(settings, indent=1, sort_keys=True) + "\n")

    def load(self, folder: Path, run: Run) -> None:
        """Take the place of ``fit``; raises BadInput for files that are damaged or do not fit."""
        try:
            settings = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
            self._facts = dict(settings["facts"])
            parts = [[int(target) for target in targets] for targets in settings["targets"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BadInput(f"{folder} cannot be read ({error})", allowed=ALLOWED) from None
        self._parts = [(Mcvn(**self._params), targets) for targets in parts]
        for k, (model, _targets) in enumerate(self._parts):
            model.load(folder / f"part-{k}", run)

    # ------------------------------------------------------------------ the search

    def trials(self, fit: Fit) -> list[Fit]:
        """The fits of all candidates; of the parameters as they are where nothing can be compared."""
        default = {name: self._params[name] for name in self._space}
        self._choices = [default]
        if len(fit.valid):
            self._choices = candidates(self._space, default, BUDGET, fit.run.seed)
        return [self._fit(fit, choice, with_validation=False) for choice in self._choices]

    def _fit(self, fit: Fit, choice: Choice, **more: Any) -> Fit:
        return Fit(Mcvn(**{**self._params, **choice, **more}), fit.train, fit.valid, fit.run)

    def choose(self, fit: Fit, trials: Sequence[Fit], errors: Sequence[Exception | None]) -> list[Fit]:
        """Choose among trials that were trained; the fits that remain to be done.

        Raises:
            Exception: that of the first trial, where all of them failed.
        """
        trained = [i for i, error in enumerate(errors) if error is None]
        if not trained:
            raise next(error for error in errors if error is not None)
        best = np.zeros(1, dtype=int)
        if len(trials) > 1:
            scores = [trials[i].model.predict(fit.valid) for i in trained]
            table = [losses(fit.run.task, fit.valid.targets, score) for score in scores]
            best = np.array(trained)[np.argmin(np.nan_to_num(table, nan=np.inf), axis=0)]
        names = [f"{name}: " for name in fit.run.task.targets] if len(best) > 1 else [""]
        texts = [describe(self._choices[i], self._space) for i in best]
        self._facts["search_candidates"] = len(trials)
        self._facts["chosen"] = "; ".join(map("".join, zip(names, texts, strict=True)))
        refitted = bool(len(fit.valid)) and Mcvn(**self._params).trains_on_validation(fit.run)
        numbers = np.unique(best).tolist()
        chosen = [self._fit(fit, self._choices[i]) if refitted else trials[i] for i in numbers]
        self._parts = [
            (final.model, np.flatnonzero(best == i).tolist())
            for i, final in zip(numbers, chosen, strict=True)
        ]
        return chosen if refitted else []

    def spent(self, seconds: float) -> None:
        """The share of this model in the time of all searches that ran together."""
        self._facts["search_s"] = round(seconds, 6)


def fit_many(fits: Sequence[Fit]) -> list[Exception | None]:
    """Fit all models in banks, the candidates of searches among them (``ModelSpec.fit_many``)."""
    searches = [i for i, fit in enumerate(fits) if isinstance(fit.model, TunedMcvn)]
    plain = [i for i in range(len(fits)) if i not in searches]
    outcomes: list[Exception | None] = [None] * len(fits)
    for i, outcome in zip(plain, fit_together([fits[i] for i in plain]), strict=True):
        outcomes[i] = outcome
    began = time.perf_counter()
    trials = [(i, trial) for i in searches for trial in fits[i].model.trials(fits[i])]
    errors = fit_together([trial for _i, trial in trials])
    finals: list[tuple[int, Fit]] = []
    for i in searches:
        tried = [(trial, error) for (k, trial), error in zip(trials, errors, strict=True) if k == i]
        try:
            finals += [(i, final) for final in fits[i].model.choose(fits[i], *zip(*tried, strict=True))]
        except Exception as error:  # one bad fit leaves the others alone
            outcomes[i] = error
    for i in searches:
        fits[i].model.spent((time.perf_counter() - began) / len(searches))
    for (i, _fit), outcome in zip(finals, fit_together([fit for _i, fit in finals]), strict=True):
        outcomes[i] = outcomes[i] or outcome
    return outcomes
