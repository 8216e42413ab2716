"""Everything that hmcbench's own plugins bring passes the conformance kit, whatever it is.

What is added later is tested here without a line of code; parameters that make it small and fast are
the only thing it may need.
"""

from __future__ import annotations

import re
from typing import Any

import pytest

from hmcbench.registry.registry import KINDS, default_registry, missing
from hmcbench.testing import checks

SMALL = {
    "hffvt": "hffvt[epochs=1,image_size=32,dim=16,depth=1,heads=2]",
    "hffcnn": "hffcnn[epochs=1,image_size=32,backbone=resnet10t]",
    "hff-cnn-vt": "hff-cnn-vt[epochs=1,image_size=32,backbone=resnet10t,dim=16,depth=1,heads=2]",
    "hff-cnn-conv-vt": "hff-cnn-conv-vt[epochs=1,image_size=32,backbone=resnet10t,dim=16,depth=1,heads=2]",
    "hffnet-2d": "hffnet-2d[epochs=1,image_size=32,backbone=resnet10t,dim=16,depth=1,heads=2]",
    "timm": "timm:lcnet_050[epochs=1,image_size=32]",
    "forest": "forest[trees=20]",
    "extra-trees": "extra-trees[n_estimators=20]",
    "xgboost": "xgboost[n_estimators=20]",
    "hist-gradient-boosting": "hist-gradient-boosting[max_iter=10,min_samples_leaf=3]",
    "mlp": "mlp[hidden=8]",
    "mcvn": "mcvn[epochs=5,members=2]",
    "mcvn-transductive": "mcvn-transductive[epochs=5,members=2]",
    "ensemble": "ensemble[members=svm+knn]",
}
NOTHING_TO_LOOK_AT = re.compile(
    "does not do .*, and says so|keeps no weights|fits one model at a time|always starts from nothing"
    "|has no parameters|has no factory"
    "|has no best value|no function of sums|names no slow version|belong to no groups|no four columns"
    "|the (data|dataset) .* (need|are not here).*|its data are not here.*"
)
"""The only reasons for which a check of ours may be skipped."""


def specs() -> list[Any]:
    """Every registered spec; those of torch carry the mark."""
    found = []
    for kind in KINDS:
        for spec in default_registry().specs(kind):
            needs = getattr(spec, "requires", ())
            marks = [pytest.mark.torch] if "torch" in needs else []
            absent = missing(spec) if needs else []
            marks += [pytest.mark.skipif(bool(absent), reason=f"needs {absent}")]
            found.append(
                pytest.param(kind, SMALL.get(spec.name, spec.name), id=f"{kind}-{spec.name}", marks=marks)
            )
    return found


@pytest.mark.parametrize(("kind", "reference"), specs())
def test_the_kit_finds_nothing(kind: str, reference: str) -> None:
    outcomes = checks.check(kind, reference)
    assert checks.failures(outcomes) == []
    odd = [o for o in outcomes if o.status == "skipped" and not NOTHING_TO_LOOK_AT.search(o.detail)]
    assert not odd


@pytest.mark.parametrize("name", [p.name for p in default_registry().manager.plugins])
def test_the_plugins_as_a_whole(name: str) -> None:
    plugin = next(p for p in default_registry().manager.plugins if p.name == name)
    assert checks.failures(list(checks.check_plugin(plugin))) == []
