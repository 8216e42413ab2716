"""The files of a published suite against the digests that were published with them."""

from __future__ import annotations

from pathlib import Path

from hmcbench.errors import HmcbenchError
from hmcbench.publish.index import README
from hmcbench.publish.sums import FILE, digest_of, files_of, read_sums
from hmcbench.verify.findings import SuiteReport


def check_files(folder: Path, report: SuiteReport) -> None:
    """Compare all files, figures too, with ``SHA256SUMS``; a published folder without it gets a note."""
    try:
        sums = read_sums(folder)
    except HmcbenchError as error:
        report.add("unreadable", FILE, error.what)
        return
    if sums is None:
        if (folder / README).is_file():  # else the folder of a run
            report.note(f"no {FILE}: whether files changed since they were published is not known")
        return
    report.files, report.digest = len(sums), digest_of(folder / FILE)
    for name, published in sums.items():
        now = digest_of(folder / name)
        if now != published:
            report.add("changed", name, "is not the file that was published" if now else "is missing")
    new = [name for name in files_of(folder) if name not in sums]
    if new:
        more = f" and {len(new) - 1} more" if len(new) > 1 else ""
        report.note(f"not in {FILE}: {new[0]}{more}")
