"""The models of the field, one readable file each; nothing heavy is imported here."""

from __future__ import annotations

from hmcbench import ModelSpec

MODELS: list[ModelSpec] = []
