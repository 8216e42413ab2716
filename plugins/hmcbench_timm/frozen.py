"""What an embedding depends on besides its parameters; read while a run is planned, so without torch."""

from __future__ import annotations

import hashlib

from hmcbench.files import weights_file

NO_FILE = ("published", "random")


def digest(*, backbone: str, weights: str, **_others: object) -> tuple[str, str]:
    """Digest of the weights, and where they come from.

    Raises:
        BadInput: a file that is not there.
    """
    name = backbone.removeprefix("timm:")
    if weights in NO_FILE:
        text = f"{weights} weights of {name}"
        return hashlib.sha256(text.encode()).hexdigest(), text
    path = weights_file(weights)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest(), f"the weights of {path.name}"
