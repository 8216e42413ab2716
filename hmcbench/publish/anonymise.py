"""Remove what names a machine: absolute paths are cut to their last part, host names are replaced."""

from __future__ import annotations

import re
import socket
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

_START = r"(?:~?/|[A-Za-z]:[\\/]|\\\\)"
_BEFORE = r"(?<![\w.)\]/\\])"  # after these characters it is a part of a relative path
_URL = r"(?P<url>\b(?!file:)[a-z][a-z0-9+.-]*://(?!/)[^\s'\"<>]*)"
_QUOTED = r"(?P<quote>['\"])(?P<inside>" + _START + r"[^'\"\n]*)(?P=quote)"
_BARE = _BEFORE + r"(?P<bare>(?:file://|" + _START + r")[^\s'\",;:\]\)}|<>]+)"
_PATHS = re.compile(f"{_URL}|{_QUOTED}|{_BARE}")
_FREE_TEXT = (
    "message", "notes", "note", "log", "reason", "metric_failures", "failure", "left_out", "problem",
)  # fmt: skip


def scrub(data: Mapping[str, Any]) -> dict[str, Any]:
    """A record (or any JSON object) without absolute paths and host names.

    A path is replaced by its last part: ``/home/me/images`` by ``images``. Class ids such as
    ``MP/SS/BCC``, relative paths and web addresses stay.
    """
    paths = sorted({v for v in _texts(data) if _is_path(v)}, key=len, reverse=True)
    cleaned: dict[str, Any] = _scrubbed(dict(data), paths, socket.gethostname(), free=False)
    return cleaned


def _texts(value: Any) -> list[str]:
    """All strings in a value, without free text."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        value = [item for key, item in value.items() if key not in _FREE_TEXT]
    return [text for item in value for text in _texts(item)] if isinstance(value, (list, tuple)) else []


def _is_path(text: str) -> bool:
    """Whether the whole text is an absolute path (which may hold spaces)."""
    return bool(re.match(_START + r"[^\s/]", text)) and "\n" not in text


def _last(path: str) -> str:
    kind = PureWindowsPath if "\\" in path or re.match(r"[A-Za-z]:", path) else PurePosixPath
    return kind(path.rstrip("/\\")).name or "."


def _scrubbed(value: Any, paths: Sequence[str], host: str, free: bool) -> Any:
    if isinstance(value, Mapping):
        return {k: _scrubbed(v, paths, host, free or k in _FREE_TEXT) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_scrubbed(item, paths, host, free) for item in value]
    if not isinstance(value, str):
        return value
    for path in paths:
        value = re.sub(_BEFORE + re.escape(path) + r"(?!\w)", _last(path).replace("\\", r"\\"), value)
    value = _PATHS.sub(_shorten, value)
    if free and len(host) > 3 and host != "localhost":
        value = re.sub(rf"(?<!\w){re.escape(host)}(?!\w)", "host", value)
    return value


def _shorten(match: re.Match[str]) -> str:
    if match["url"]:
        return match["url"]
    if match["quote"]:
        return match["quote"] + _last(match["inside"]) + match["quote"]
    return _last(match["bare"].removeprefix("file://"))
