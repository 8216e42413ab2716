"""All specs of hmcbench's own plugins pass the conformance kit.

New specs are tested without further code; only parameters that make them small may be added to SMALL.
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
    "fusion": "fusion:lcnet_050[epochs=1,image_size=32]",
    "bag": "bag:lcnet_050[epochs=1,image_size=32,images=3]",
    "embedding": "embedding[backbone=timm:test_resnet,weights=random,size=32]",
    "forest": "forest[trees=20]",
    "extra-trees": "extra-trees[n_estimators=20]",
    "xgboost": "xgboost[n_estimators=20]",
    "hist-gradient-boosting": "hist-gradient-boosting[max_iter=10,min_samples_leaf=3]",
    "mlp": "mlp[hidden=8]",
    "mcvn": "mcvn[epochs=5,members=2]",
    "mcvn-transductive": "mcvn-transductive[epochs=5,members=2]",
    "ensemble": "ensemble[members=svm+knn]",
    "sklearn": "sklearn:sklearn.ensemble.ExtraTreesClassifier[n_estimators=20]",
    "mlp-bce": "mlp-bce[hidden=16;16,epochs=5]",
    "c-hmcnn": "c-hmcnn[hidden=16;16,epochs=5]",
    "hmcn-f": "hmcn-f[width=16,epochs=5]",
    "hmcn-r": "hmcn-r[width=16,epochs=5]",
    "awx": "awx[hidden=16;16,epochs=5]",
    "hmc-lmlp": "hmc-lmlp[width=16,epochs=5]",
    "mbm": "mbm[hidden=16;16,dimensions=4,epochs=5]",
    "hmi": "hmi[hidden=16,dimensions=4,epochs=5]",
    "hmc-duo": "hmc-duo[hidden=16;16,epochs=5,members=2,trees=10]",
    "pct-forest": "pct-forest[trees=20]",
    "boosting-per-class": "boosting-per-class[trees=10]",
    "pixel-forest": "pixel-forest[trees=5,samples=200]",
    "procedural": "procedural:forest[trees=10,drawn=24,looks=*:dimples]",
    "patch": "patch:forest[settings=trees=5,side=16,stride=8]",
    "unet": "unet[epochs=1,crops=1,crop=32,tile=64,overlap=8,width=16,reduce=1,batch_size=2]",
    "fpn": "fpn[epochs=1,crops=1,crop=32,tile=64,overlap=8,width=32,reduce=1,batch_size=2]",
    "deeplabv3plus": "deeplabv3plus[epochs=1,crops=1,crop=64,tile=64,overlap=8,width=16,batch_size=2]",
    "sem-eds": "sem-eds[size=32,train=24,test=12]",
    "sem-series": "sem-series[size=32,train=24,test=12]",
    "fractograph-masks": "fractograph-masks[size=32,train=24,test=12]",
}
REASONS = re.compile(
    "declares no tasks of this shape|takes no missing values|does not apply to"
    "|keeps no weights|fits one model at a time|has no warm start|is not declared deterministic"
    "|has no parameters|has no factory|says nothing of itself"
    "|chooses no parameter|has no best value|not a function of sums|names no slow version|have no groups"
    "|it needs known and unknown samples|its rows are objects|its docstring has no example"
    "|fewer than four columns|the (data|dataset) .* (need|are not here).*|its data are missing.*"
)
"""The only reasons for which these checks may be skipped."""


def specs() -> list[Any]:
    """Every registered spec; those that need torch have its mark."""
    params = []
    for kind in KINDS:
        for spec in default_registry().specs(kind):
            needs = getattr(spec, "requires", ())
            marks = [pytest.mark.torch] if "torch" in needs else []
            absent = missing(spec) if needs else []
            marks += [pytest.mark.skipif(bool(absent), reason=f"needs {absent}")]
            reference = spec.name if kind == "suites" else SMALL.get(spec.name, spec.name)
            params.append(pytest.param(kind, reference, id=f"{kind}-{spec.name}", marks=marks))
    return params


@pytest.mark.parametrize(("kind", "reference"), specs())
def test_every_spec_passes(kind: str, reference: str) -> None:
    outcomes = checks.check(kind, reference)
    assert checks.failures(outcomes) == []
    assert not [o for o in outcomes if o.status == "skipped" and not REASONS.search(o.detail)]


@pytest.mark.parametrize("name", [p.name for p in default_registry().manager.plugins])
def test_every_plugin_passes(name: str) -> None:
    plugin = next(p for p in default_registry().manager.plugins if p.name == name)
    assert checks.failures(list(checks.check_plugin(plugin))) == []
