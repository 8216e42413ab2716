"""Original files of a dataset, for ``hmcbench data fetch``: into the cache folder, checked, and resumed."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hmcbench.data.sources import Source
from hmcbench.errors import BadInput, Unavailable

TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 16


def fetch(source: Source, folder: Path, dataset: str, mirror: str = "") -> Path:
    """The file in a folder, downloaded unless it is there already with the right checksum.

    Args:
        dataset: its name, for messages.
        mirror: an address that takes the place of the original's base.

    Raises:
        BadInput: no network, no such file there, or another content than the checksum says.
    """
    try:  # libraries of extras
        import pooch
        import requests
    except ModuleNotFoundError as error:
        raise Unavailable(f"this needs {error.name}", hint="pip install pooch") from None
    base = (mirror or source.base).rstrip("/")
    address = f"{base}/{source.path}"
    keeper = pooch.create(
        path=folder,
        base_url=f"{base}/",
        registry={source.file: f"sha256:{source.sha256}"},
        urls={source.file: address},
    )
    pooch.get_logger().setLevel("WARNING")  # the command line reports it
    part = folder / f".{source.file}.part"
    try:
        return Path(keeper.fetch(source.file, downloader=_Resuming(part, source)))
    except requests.RequestException as error:
        raise BadInput(
            f"{address} cannot be fetched ({_reason(error)})",
            hint=f"the same command goes on from there; or --mirror URL, or --data {dataset}=PATH",
        ) from None
    except ValueError:  # pooch: the checksum does not fit
        part.unlink(missing_ok=True)
        raise BadInput(
            f"{address} is not the published file: its checksum differs; nothing was kept",
            hint=f"another --mirror URL, or --data {dataset}=PATH",
        ) from None


class _Resuming:
    """A downloader for pooch that keeps in ``part`` what was received, and asks for the remainder only."""

    def __init__(self, part: Path, source: Source) -> None:
        self._part, self._source = part, source

    def __call__(self, url: str, output_file: Any, _keeper: Any) -> None:
        import requests

        self._part.parent.mkdir(parents=True, exist_ok=True)
        have = self._part.stat().st_size if self._part.is_file() else 0
        if have >= self._source.size:
            have = 0
        headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            answer.raise_for_status()
            answer.raw.enforce_content_length = False  # keep what was received before the connection broke
            resumed = answer.status_code == requests.codes.partial_content
            with self._part.open("ab" if have and resumed else "wb") as file:
                for chunk in answer.iter_content(CHUNK):
                    file.write(chunk)
                    if file.tell() > self._source.size:  # not the file; it may never end
                        break
        shutil.copyfile(self._part, output_file)
        if self._part.stat().st_size >= self._source.size:
            self._part.unlink()
        else:
            raise requests.ConnectionError("the connection ended too early")


def _reason(error: Any) -> str:
    """Of a ``requests.RequestException``."""
    import requests

    if error.response is not None:
        return f"{error.response.status_code} {error.response.reason}"
    return "timed out" if isinstance(error, requests.Timeout) else "no connection, or it broke off"
