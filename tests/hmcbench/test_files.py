"""Atomic writes, the cache folder, machines and processes."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from hmcbench import files
from hmcbench.errors import BadInput
from hmcbench.files import (
    cache_dir,
    check_reachable,
    has_ended,
    host_tag,
    listed_path,
    new_owner,
    process_start,
    processor_name,
    replacing,
    sweep_temporary,
    this_host,
    write_atomic,
)


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_atomic(pipe, "text")
        assert os.read(reader, 10) == b"text"
    finally:
        os.close(reader)
    assert pipe.is_fifo() and [path.name for path in tmp_path.iterdir()] == ["pipe"]


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "f"
    write_atomic(path, "old")

    def fail() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    write_atomic(path, b"new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["f"]


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system does not, when a write fails."""

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "f"
    write_atomic(path, "old")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomic(path, "new")
    assert caught.value.filename == str(path)
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["f"]


def test_the_cache_folder_is_where_the_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "c"))
    assert cache_dir("a", "b") == tmp_path / "c" / "a" / "b"
    assert cache_dir("a").is_dir()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadInput, match="HMCBENCH_CACHE"):
        cache_dir("a")
    monkeypatch.delenv("HMCBENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert cache_dir() == tmp_path / "x" / "hmcbench"


def test_a_process_has_one_start_time() -> None:
    assert process_start(os.getpid()) == process_start(os.getpid())
    gone = max(psutil.pids()) + 100_000
    assert process_start(gone) == ""


def test_a_host_has_one_tag() -> None:
    assert host_tag(this_host()) == host_tag(this_host())
    assert len(host_tag("a")) == 8 and host_tag("a") != host_tag("b")


def test_a_port_where_nothing_listens_is_an_error() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match="refused"):
            check_reachable("127.0.0.1", port)
        listener.listen()
        check_reachable("127.0.0.1", port)


def test_an_owner_has_ended_when_its_process_of_this_machine_is_no_more(tmp_path: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    pid = int(gone.stdout)
    here = host_tag(this_host())
    assert has_ended(f"{pid}.{here}.abc")
    assert not has_ended(new_owner())
    assert not has_ended(f"{pid}.{host_tag('another machine')}.abc")
    assert not has_ended("no owner")
    left, mine = tmp_path / f".board.md-{pid}.{here}.abc.tmp", tmp_path / f".board.md-{new_owner()}.tmp"
    for path in (left, mine):
        path.write_text("half")
    sweep_temporary(tmp_path)
    assert list(tmp_path.iterdir()) == [mine]


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (
            "vendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC",
            "AMD EPYC (family 26, model 2)",
        ),
        (
            "vendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: unknown",
            "GenuineIntel (family 6, model 143)",
        ),
        ("model name\t: ARMv8 Processor rev 3 (v8l)", "ARMv8 Processor rev 3 (v8l)"),
    ],
)
def test_a_processor_is_named_with_its_family(lines: str, name: str, tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text(f"processor\t: 0\n{lines}\n\nprocessor\t: 1\nmodel name\t: another\n", encoding="utf-8")
    assert processor_name(info) == name
    assert processor_name(tmp_path / "absent")


def test_a_folder_is_synced_with_all_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    held = [tmp_path, tmp_path / "inner", tmp_path / "a", tmp_path / "inner" / "b"]
    for path in held[2:]:
        path.write_bytes(b"1")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    files.sync_folder(tmp_path)
    assert sorted(synced) == sorted(path.stat().st_ino for path in held)


def test_what_holds_nothing_or_went_away_is_not_synced(tmp_path: Path) -> None:
    """A pipe would wait for a writer for ever; a link that leads nowhere ended the run."""
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "folder").symlink_to(tmp_path.parent)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
    (tmp_path / "kept").write_bytes(b"1")
    files.sync_folder(tmp_path)


@pytest.mark.parametrize("function", ["lstat", "open"])
def test_a_file_that_is_removed_meanwhile_is_not_synced(
    function: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"1")
    real = getattr(os, function)

    def late(path: Any, *rest: Any) -> Any:
        (tmp_path / "a").unlink(missing_ok=True)
        return real(path, *rest)

    monkeypatch.setattr(os, function, late)
    files.sync_folder(tmp_path)
    assert not (tmp_path / "a").exists()


def test_a_broken_disk_is_told_of_files_and_not_of_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some systems cannot sync a folder; what the files hold must be on the disk."""

    def broken(_file: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    files.sync_names(tmp_path)
    files.sync_folder(tmp_path)
    (tmp_path / "a").write_bytes(b"1")
    with pytest.raises(OSError, match="Input/output"):
        files.sync_folder(tmp_path)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("images/a.png", "images/a.png"),
        ("images\\a.png", "images/a.png"),
        (".\\images\\\\a.png", "images/a.png"),
        ("..\\..\\a.png", "../../a.png"),
        ("sub\\../a.png", "sub/../a.png"),
        ("C:\\a.png", "C:/a.png"),
        ("\\a.png", "/a.png"),
    ],
)
def test_paths_in_files_are_those_of_any_system(text: str, path: str) -> None:
    assert listed_path(text).as_posix() == path
