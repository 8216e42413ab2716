from __future__ import annotations

from multiprocessing import Pipe
from pathlib import Path

from hmcbench.execute.reporter import Reporter


def test_reports_drive_progress_and_become_the_history(tmp_path: Path) -> None:
    receive, send = Pipe(duplex=False)
    report = Reporter(send, tmp_path / "history.csv", cell=3)
    report.phase("fit")
    report(1, 2, loss=0.5)
    report(2, 2, loss=0.25, accuracy=0.75)
    report.write()
    assert [receive.recv() for _ in range(3)] == [
        {"cell": 3, "phase": "fit"},
        {"cell": 3, "done": 1, "total": 2},
        {"cell": 3, "done": 2, "total": 2},
    ]
    assert (tmp_path / "history.csv").read_text() == "step,loss,accuracy\n1,0.5,\n2,0.25,0.75\n"
    receive.close()
    report(3, 3)  # the runner is gone: no exception
    send.close()


def test_no_reports_no_history(tmp_path: Path) -> None:
    _, send = Pipe(duplex=False)
    Reporter(send, tmp_path / "history.csv").write()
    assert not (tmp_path / "history.csv").exists()
