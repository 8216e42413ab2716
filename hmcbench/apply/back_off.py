"""How deep an answer for a new sample may go, at a promised risk.

The least confidence that keeps the promise is found on the calibration side of the model's record
(:mod:`hmcbench.metrics.selection`); new samples are assumed to be exchangeable with its samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hmcbench.errors import BadInput
from hmcbench.interfaces import Scores, Task
from hmcbench.metrics.computing import CALIBRATION
from hmcbench.metrics.decisions import hierarchy_of
from hmcbench.metrics.ends import PathConfidence
from hmcbench.metrics.evaluation import Evaluation
from hmcbench.metrics.promise import least_samples
from hmcbench.metrics.selection import least_theta
from hmcbench.records.record import Record

REFER = "refer"
"""The answer where no class is sure enough: ask a person, or another method."""


@dataclass(frozen=True)
class BackOff:
    """Answers at the promised risk.

    Attributes:
        task: of the model.
        theta: the least confidence.
        samples: on which it was found.
    """

    task: Task
    theta: float
    samples: int

    @classmethod
    def of_record(cls, record: Record, alpha: float) -> BackOff:
        """At a share of wrong answers of at most ``alpha``.

        Raises:
            BadInput: no samples were put apart, too few for alpha, or samples have several paths.
        """
        predictions = record.predictions()
        if predictions.only_sets or predictions.maps is not None:
            raise BadInput(f"{record.path.name} has no scores of classes", allowed="a model of probabilities")
        if predictions.task.paths != "single":
            raise BadInput(
                "back-off climbs one path; these samples have several", allowed="single label paths"
            )
        apart = predictions.of_side(CALIBRATION)
        if not len(apart) or apart.truth is None:
            raise BadInput(
                f"{record.path.name} has no calibration side, on which back-off rests",
                allowed="a run of a suite with calibration = 0.1 under [protocol]",
            )
        if len(apart) < least_samples(alpha):
            raise BadInput(
                f"--back-off {alpha:g}: the calibration side has {len(apart)} samples",
                allowed=f"{1 / (len(apart) + 1):.3f} or more ({alpha:g} needs {least_samples(alpha)})",
            )
        theta = least_theta(Evaluation.of_predictions(apart), alpha)
        return cls(predictions.task, theta, len(apart))

    def answers(self, scores: Scores) -> list[tuple[str, float]]:
        """The deepest class that is sure enough and its confidence; :data:`REFER` and 1 where none is."""
        confidence = PathConfidence.of(scores.values, scores.stop, self.task)
        classes = hierarchy_of(self.task).classes
        out = []
        for row, stopped in enumerate(confidence.climbed(self.theta).tolist()):
            if stopped < 0:
                out.append((REFER, 1.0))
            else:
                level = int(np.flatnonzero(confidence.path[row] == stopped)[0])
                out.append((classes[stopped], float(confidence.q[row, level])))
        return out
