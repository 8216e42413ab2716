"""Machines and processes are told apart; a machine that does not answer is told at once."""

from __future__ import annotations

import os
import socket

import psutil
import pytest

from hmcbench import hosts


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
