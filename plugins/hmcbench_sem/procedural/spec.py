"""The spec of ``procedural:MODEL``: its own parameters beside those of the model. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hmcbench import ModelSpec
from hmcbench.data.borrowed import image_model_spec
from hmcbench.errors import BadInput, unknown


def spec_of(spec: ModelSpec, model: str, values: Mapping[str, str]) -> ModelSpec:
    """The spec for a model, with its parameters, profiles, tasks and libraries.

    Where both have a parameter of one name, it is that of ``procedural``; the model keeps its default.

    Args:
        spec: of ``procedural`` itself.
        model: a reference without parameters, such as ``timm:resnet10t``, whose variant (``resnet10t``) then
            is none.
        values: texts of the parameters that ``spec`` does not have.

    Raises:
        BadInput: no such model, one that labels no images, or no such parameter.
    """
    if model.partition(":")[0] == spec.name:
        raise BadInput(f"{spec.name} of {model}", allowed="a model that is no procedural one itself")
    inner = image_model_spec(model)
    params = {
        name: param for name, param in inner.params.items() if ":" not in model or name != inner.variant
    }
    aliases = [alias for param in params.values() for alias in param.aliases]
    for name in values:
        if name not in params and name not in aliases:
            known = [*spec.params, *params]
            raise unknown(
                f"parameter of {spec.name}:{model}", name, known, f"hmcbench show model {inner.name}"
            )
    return replace(
        spec,
        params={**params, **spec.params},
        profiles={
            profile: {name: value for name, value in chosen.items() if name not in spec.params}
            for profile, chosen in inner.profiles.items()
        },
        requires=tuple(dict.fromkeys((*spec.requires, *inner.requires))),
        extra=inner.extra,
        paths=inner.paths,
        depths=inner.depths,
        hierarchies=inner.hierarchies,
    )
