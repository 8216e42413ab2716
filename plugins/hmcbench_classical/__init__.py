"""Classical machine learning: hand-made image features and scikit-learn estimators."""

from __future__ import annotations

from hmcbench import FeaturizerSpec, ModelSpec, Param, hookimpl

_SIDE = "side of the square that images are brought to, in pixels"


@hookimpl
def hmcbench_featurizers() -> list[FeaturizerSpec]:
    return [
        FeaturizerSpec(
            name="grey_histogram",
            version="1",
            summary="Share of pixels in each of 64 grey levels: all that brightness alone can tell",
            factory="hmcbench_classical.texture:GreyHistogram",
            params={"size": Param(64, _SIDE + "; small ones average shot noise away", low=1)},
            source="pixels[size={size},channels=1]",
        ),
        FeaturizerSpec(
            name="texture",
            version="1",
            summary="Grey-level statistics, co-occurrence, local binary patterns and oriented gradients",
            factory="hmcbench_classical.texture:Texture",
            params={"size": Param(128, _SIDE, low=16)},
            source="pixels[size={size},channels=1]",
            requires=("skimage",),
            extra="vision",
            citation="Haralick et al. 1973; Ojala et al. 2002; Dalal & Triggs 2005",
        ),
    ]


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="forest",
            version="1",
            summary="Random forest on image texture, or on grey levels alone",
            factory="hmcbench_classical.forest:forest",
            params={
                "features": Param(
                    "texture", "the view to read", choices=("texture", "grey_histogram", "table")
                ),
                "trees": Param(300, "number of trees", low=1),
                "min_leaf": Param(1, "least number of training samples in a leaf", low=1),
            },
            profiles={"standard": {"trees": 1000}, "paper": {"trees": 1000}},
            views=("{features}",),
            tasks=("hmc", "regression"),
            requires=("sklearn",),
            citation="Breiman, L. Random forests. Machine Learning 45, 5-32 (2001)",
            aliases=("texture-forest",),
        )
    ]
