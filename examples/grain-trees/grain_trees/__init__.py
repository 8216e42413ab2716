from hmcbench import ModelSpec, Param, hookimpl


@hookimpl
def hmcbench_models():
    return [
        ModelSpec(
            name="grain-trees",
            version="1",
            summary="Trees that look at how rough an image is, at five scales",
            factory="grain_trees.model:GrainTrees",
            views=("pixels[size=64,channels=1]",),
            paths=("single",),
            depths=("full",),
            params={"trees": Param(60, "how many trees", low=1)},
        )
    ]
