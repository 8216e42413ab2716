"""The model that ``patch`` slides over a picture, and its settings: read, and checked before a run."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping

from hmcbench import ModelSpec
from hmcbench.data.borrowed import check_image_model, image_model_spec
from hmcbench.errors import BadInput, NotApplicable
from hmcbench.files import weights_file

_BETWEEN = re.compile(r"[;,](?![^\[]*\])")  # two settings; what stands in brackets is one value
_TEXT = re.compile(r"=([^\[\];,=]+)")  # of a parameter in brackets
_SWITCHES = ("true", "yes", "1", "false", "no", "0")  # texts of a file parameter that name no file


def reference_of(model: str, settings: str) -> str:
    """A model with its settings as one reference.

    >>> reference_of("timm:resnet10t", "epochs=6;image_size=64")
    'timm:resnet10t[epochs=6,image_size=64]'
    """
    return f"{model}[{settings.replace(';', ',')}]" if settings else model


def check(*, model: str, settings: str, side: int, stride: int, **_others: object) -> None:
    """The ``check`` of the spec.

    It is not told the profile, which may change other parameters of the model. So it refuses what no profile
    allows; :func:`check_in_profile` does the rest.

    Raises:
        BadInput: a stride that leaves gaps, no such model, a parameter that it does not have or whose value
            it refuses, or a file in the settings.
        NotApplicable: the model cannot read images here, or one of its libraries is not installed.
    """
    check_stride(side, stride)
    if "[" in model:
        raise BadInput(f"model={model}", allowed="a name without parameters, which are its settings")
    spec = _spec_of(reference_of(model, settings))
    _refuse_files(spec, settings)
    _refuse_without_libraries(spec)
    refusals: list[BadInput] = []
    for profile in ("", *spec.profiles):
        try:
            check_in_profile(model, settings, profile)
        except BadInput as refusal:
            refusals.append(refusal)
        else:
            return
    raise refusals[0]


def check_in_profile(model: str, settings: str, profile: str) -> None:
    """Raise BadInput where the model refuses its settings together with the values of a profile."""
    check_image_model(reference_of(model, settings), profile=profile)


def check_stride(side: int, stride: int) -> None:
    """Raise BadInput where patches of ``side`` pixels, ``stride`` pixels apart, leave gaps."""
    if stride > side:
        raise BadInput(f"stride={stride}: patches of {side} pixels leave gaps", allowed=f"1 to {side}")


def _spec_of(reference: str) -> ModelSpec:
    """The spec of a model of images; NotApplicable where no view that it reads can be made of them here.

    That may be for a library, and a suite still runs its other models.
    """
    try:
        return image_model_spec(reference)
    except BadInput as error:
        if isinstance(error.__context__, NotApplicable):
            raise NotApplicable(error.what) from None
        raise


def _texts(spec: ModelSpec, settings: str) -> Mapping[str, str]:
    """Parameter -> text, of those that are set; under their own names where aliases were typed."""
    names = {alias: name for name, param in spec.params.items() for alias in param.aliases}
    parts = (part.partition("=") for part in _BETWEEN.split(settings) if part.strip())
    return {names.get(name.strip(), name.strip()): text.strip() for name, _, text in parts}


def _refuse_files(spec: ModelSpec, settings: str) -> None:
    """Raise BadInput for a file in the settings: the digest of its content would not be in a cell's key.

    A parameter of the model may be a file, or one in its brackets: ``inputs=embedding[weights=FILE]``.
    """
    for name, text in _texts(spec, settings).items():
        inside = [part.strip() for part in _TEXT.findall(text.partition("[")[2])]
        files = [part for part in inside if _is_file(part)]
        if spec.params[name].file and text.lower() not in _SWITCHES:
            files.append(text)
        if files:
            raise BadInput(
                f"patch: its settings name the file {files[0]} ({name}), whose content would not be in the"
                " key of a cell",
                allowed="settings without files",
            )


def _is_file(text: str) -> bool:
    try:
        weights_file(text)
    except (BadInput, OSError, RuntimeError):  # too long a name, or the home of nobody, is none either
        return False
    return True


def _refuse_without_libraries(spec: ModelSpec) -> None:
    absent = [module for module in spec.requires if importlib.util.find_spec(module) is None]
    if absent:
        install = f" (pip install 'hmcbench[{spec.extra}]')" if spec.extra else ""
        raise NotApplicable(f"{spec.name} needs {', '.join(absent)}{install}")
