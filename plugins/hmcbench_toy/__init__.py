"""Synthetic datasets and models that need numpy only, to try and to test hmcbench."""

from __future__ import annotations

from hmcbench import DatasetSpec, ModelSpec, Param, SuiteSpec, hookimpl

_PARAMS = {
    "samples": Param(200, "how many samples", low=10, high=1_000_000),
    "noise": Param(0.5, "half the width of the noise; the class signatures are integers", low=0.0),
    "seed": Param(0, "another seed draws other data", low=0),
}


@hookimpl
def hmcbench_datasets() -> list[DatasetSpec]:
    kinds = {
        "tree": "a tree of 2 + 5 classes, one leaf per sample",
        "ragged": "a tree of 9 classes on 3 levels, one path per sample that may end anywhere",
        "dag": "a DAG of 6 classes, one or two of them per sample, at any depth",
    }
    return [
        DatasetSpec(
            name=f"toy-{kind}",
            version="1",
            summary=f"Synthetic table: {summary}",
            factory=f"hmcbench_toy.data:{kind}",
            params=_PARAMS,
            views=("table", "answers"),
            citation="none: made up by hmcbench",
            licence="Apache-2.0",
        )
        for kind, summary in kinds.items()
    ]


@hookimpl
def hmcbench_models() -> list[ModelSpec]:
    return [
        ModelSpec(
            name="prior",
            version="1",
            summary="Class frequencies of the training samples, for every sample: what a model must beat",
            factory="hmcbench_toy.models:Prior",
            deterministic=True,
            tasks=("hmc", "regression"),
        ),
        ModelSpec(
            name="random",
            version="1",
            summary="Random scores, drawn from the seed and the sample's id",
            factory="hmcbench_toy.models:Random",
        ),
        ModelSpec(
            name="oracle",
            version="1",
            summary="Reads the truth from a view that only toy datasets have: the best possible row",
            factory="hmcbench_toy.models:Oracle",
            deterministic=True,
            views=("answers",),
        ),
    ]


@hookimpl
def hmcbench_suites() -> list[SuiteSpec]:
    return [
        SuiteSpec(
            name="smoke",
            summary="Toy data and models, seconds: shows that an installation works",
            source="hmcbench_toy:smoke.toml",
        )
    ]
