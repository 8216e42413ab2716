"""``data fetch`` against a server on this machine: checksum, resume, mirror, and what goes wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pooch")
from hmcbench_materials.data import sources
from hmcbench_materials.data.datasets import load

NIMS_ROW = "865,865,550,0.35,0.21,0.77,0.021,0.022,0.01,0.01,0.02,0,825,0.05,0.03,0,{},736,1482,235"
HEADER = "NT,QT,TT,C,Si,Mn,P,S,Ni,Cr,Cu,Mo,RR,dA,dB,dC,fatigue,tensile,fracture,hardness"
CONTENT = "\n".join([HEADER, *(NIMS_ROW.format(400 + i) for i in range(9))]).encode()


ENOUGH = 200 << 20


class Server(HTTPServer):
    """Serves CONTENT; ``cut`` ends the next answer after so many bytes, ``endless`` sends zeros instead."""

    content = CONTENT
    cut = 0
    endless = False
    sent = 0
    ranges: list[str]
    paths: list[str]

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.ranges.append(wanted)
        self.server.paths.append(self.path)
        if not self.path.endswith("Chapter4/NIMS-Fatigue.csv"):
            self.send_error(404)
            return
        if self.server.endless:
            self.send_forever()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-") or 0)
        rest = self.server.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        self.wfile.write(rest[: self.server.cut or None])
        self.server.cut = 0

    def send_forever(self) -> None:
        """Until the client hangs up, or ``ENOUGH`` was sent."""
        self.send_response(200)
        self.end_headers()
        with suppress(ConnectionError):
            while self.server.sent < ENOUGH:
                self.server.sent += self.wfile.write(bytes(1 << 16))

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HMCBENCH_MIRROR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    known = replace(
        sources.SOURCES["nims-steel"], sha256=hashlib.sha256(CONTENT).hexdigest(), size=len(CONTENT)
    )
    monkeypatch.setitem(sources.SOURCES, "nims-steel", known)
    with Server(("127.0.0.1", 0), Handler) as running:
        running.ranges, running.paths = [], []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def kept(folder: Path) -> list[str]:
    place = folder / "cache" / "data" / "nims-steel"
    return sorted(p.name for p in place.iterdir()) if place.is_dir() else []


def test_a_file_is_fetched_checked_and_found(cli: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    assert load("nims-steel").synthetic
    ended = cli("data", "fetch", "nims-steel", "--mirror", server.address)
    assert ended.status == 0, ended.err
    assert "NIMS-Fatigue.csv" in ended.out
    assert kept(tmp_path) == ["NIMS-Fatigue.csv"]
    loaded = load("nims-steel")
    assert not loaded.synthetic and len(loaded.ids) == 9
    assert cli("data", "fetch", "nims-steel", "--mirror", server.address).status == 0
    assert len(server.paths) == 1  # the second time nothing was asked for


def test_a_broken_download_goes_on_where_it_was(
    cli: Callable[..., Any], server: Server, tmp_path: Path
) -> None:
    server.cut = 300
    ended = cli("data", "fetch", "nims-steel", "--mirror", server.address)
    assert ended.status == 2
    assert "the same command goes on from there" in ended.err and "Traceback" not in ended.err
    assert load("nims-steel").synthetic  # half a file is never read
    assert cli("data", "fetch", "nims-steel", "--mirror", server.address).status == 0
    assert server.ranges == ["", "bytes=300-"]
    assert (tmp_path / "cache/data/nims-steel/NIMS-Fatigue.csv").read_bytes() == CONTENT
    assert kept(tmp_path) == ["NIMS-Fatigue.csv"]


def test_another_content_is_not_kept(cli: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    server.content = CONTENT.replace(b"736", b"737")
    ended = cli("data", "fetch", "nims-steel", "--mirror", server.address)
    assert ended.status == 2 and "its checksum differs" in ended.err
    assert ended.err.count("\n") == 1
    assert kept(tmp_path) == []


def test_what_never_ends_is_given_up(cli: Callable[..., Any], server: Server, tmp_path: Path) -> None:
    server.content, server.endless = CONTENT, True
    ended = cli("data", "fetch", "nims-steel", "--mirror", server.address)
    assert ended.status == 2 and "its checksum differs" in ended.err
    assert ended.err.count("\n") == 1
    assert kept(tmp_path) == []
    assert server.sent < ENOUGH  # the client hung up


def test_the_mirror_may_stand_in_the_environment(
    cli: Callable[..., Any], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HMCBENCH_MIRROR", f"{server.address}/copy/")
    assert cli("data", "fetch", "nims-steel").status == 0
    assert server.paths == ["/copy/Chapter4/NIMS-Fatigue.csv"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nims-stel",), "did you mean 'nims-steel'"),
        (("srim-steel",), "srim-steel cannot be fetched. Allowed: hea-hardness, hea-phases"),
        (("nims-steel", "--mirror", "ftp://x"), "starts with http"),
        (("hea-hardness", "--mirror", "{address}"), "404"),
        (("nims-steel", "--mirror", "http://127.0.0.1:1"), "no connection"),
    ],
)
def test_one_line_says_what_went_wrong(
    cli: Callable[..., Any], server: Server, args: tuple[str, ...], message: str
) -> None:
    ended = cli("data", "fetch", *(a.format(address=server.address) for a in args))
    assert ended.status == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
