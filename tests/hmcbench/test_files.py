"""Whole files or none; the cache folder; which machine and process wrote them."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import psutil
import pytest

from hmcbench import files as hosts
from hmcbench.errors import BadInput
from hmcbench.files import cache_dir, csv_rows, replacing, write_atomic


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


def test_a_process_is_born_once() -> None:
    assert hosts.born(os.getpid()) == hosts.born(os.getpid())
    gone = max(psutil.pids()) + 100_000
    assert hosts.born(gone) == ""


def test_a_host_has_one_tag() -> None:
    assert hosts.tag(hosts.this_host()) == hosts.tag(hosts.this_host())
    assert len(hosts.tag("a")) == 8 and hosts.tag("a") != hosts.tag("b")


def test_a_port_where_nobody_listens_is_told() -> None:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
        with pytest.raises(OSError, match="refused"):
            hosts.knock("127.0.0.1", port)
        one.listen()
        hosts.knock("127.0.0.1", port)


# --------------------------------------------------------------------------- tables


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b;c\n1,2\n", [(1, ["a", "b;c"]), (2, ["1", "2"])]),
        ("a;b\n1,5;2\n", [(1, ["a", "b"]), (2, ["1,5", "2"])]),
        ("a\tb\n1,5;x\t2\n", [(1, ["a", "b"]), (2, ["1,5;x", "2"])]),
        ("sep=;\r\na\r\n1;2\r\n", [(2, ["a"]), (3, ["1", "2"])]),
        ("\n ,\na, b \n,\n", [(3, ["a", "b"])]),
        ('a,b\n"x\ny",2\n3,4\n', [(1, ["a", "b"]), (2, ["x\ny", "2"]), (4, ["3", "4"])]),
        ("a,e\u0301\n", [(1, ["a", "\u00e9"])]),
        ("a\n1;2\n", [(1, ["a"]), (2, ["1;2"])]),
        ("", []),
    ],
)
def test_rows_of_a_table(text: str, rows: list[tuple[int, list[str]]]) -> None:
    assert list(csv_rows(text, "t.csv")) == rows


def test_what_is_no_table_names_its_line() -> None:
    with pytest.raises(BadInput, match=r"t\.csv:2: cannot be read as CSV"):
        list(csv_rows('a,b\n1,"2\n', "t.csv"))
