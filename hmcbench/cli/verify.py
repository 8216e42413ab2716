"""``hmcbench verify``: recompute published numbers from their records and report differences."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmcbench.cli.common import PATH, device_option, pairs_of_several
from hmcbench.cli.plugin_option import plugin_option
from hmcbench.cli.run import check_device
from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.records.suite_file import suite_folders

if TYPE_CHECKING:
    from hmcbench.verify import Finding, Report, SuiteReport
    from hmcbench.verify.rerun import RerunReport

MOST = 20  # findings of one suite that are printed; --json has all
TITLES = {
    "differs": "differs",
    "changed": "changed",
    "data": "does not match",
    "version": "does not match",
    "no record": "no record",
    "unreadable": "unreadable",
}


@click.command("verify")
@click.argument("results", default="results", type=PATH)
@click.option("--suite", default="", metavar="NAME", help="Only this suite.")
@click.option(
    "--data",
    multiple=True,
    metavar="NAME=PATH",
    help="Data of a dataset, for its truth; may be repeated.",
)
@click.option(
    "--rerun", type=click.IntRange(min=1), metavar="N", help="Fit N cells again, chosen at random, here."
)
@click.option("--rerun-seed", type=click.IntRange(min=0), metavar="S", help="Choose the same cells again.")
@device_option
@plugin_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")
def verify_command(
    results: Path,
    suite: str,
    data: Sequence[str],
    rerun: int | None,
    rerun_seed: int | None,
    device: str,
    as_json: bool,
) -> int:
    """Recompute every number below RESULTS from the predictions stored there.

    Says which numbers differ, which files changed since they were published, whose data fingerprint
    or version does not match, and which rows, tables and pictures have no record. Where truth may not
    be redistributed, records read "not checkable here" unless --data names the data. Nothing is
    written.

    --rerun fits cells again and says of each: equal bits, within the interval (its primary metric is inside
    the 95 % interval of the record), or not. Cells whose data or plugins are not here are named.

    Exit status: 0 without findings, 1 with any or where a cell gives another result, 3 without either
    where nothing could be recomputed (with --rerun: no cell could be fitted).

    \b
    Example:
      hmcbench verify results
      hmcbench verify results --data nims-steel=nims_fatigue
      hmcbench verify runs --rerun 3
    """
    from hmcbench.verify.findings import FOUND
    from hmcbench.verify.tree import verify_results

    if rerun_seed is not None and rerun is None:
        raise BadInput("--rerun-seed without --rerun", allowed="--rerun N --rerun-seed S")
    if rerun is not None:
        check_device(device)
    folders = suite_folders(results, suite)
    index = None if suite or folders == [results] else results
    paths = pairs_of_several("--data", data, "NAME=PATH")
    report = verify_results(folders, paths, index)
    if not as_json:
        _print_report(report)
    again = _rerun(folders, paths, rerun, rerun_seed, device)
    if as_json:
        parts = report.to_json() | ({"rerun": again.to_json()} if again is not None else {})
        click.echo(json.dumps(parts, indent=1, ensure_ascii=False))
    elif again is not None:
        _print_rerun(again)
    if again is None or report.status == FOUND:
        return report.status
    return again.status


def _rerun(
    folders: Sequence[Path],
    data: Mapping[str, Sequence[str]],
    count: int | None,
    seed: int | None,
    device: str,
) -> RerunReport | None:
    """Fit cells again; None where this was not asked for. Damaged records have been reported."""
    import secrets

    from hmcbench.records.record import read_record, record_folders
    from hmcbench.registry.registry import default_registry
    from hmcbench.verify.rerun import rerun_cells

    if count is None:
        return None
    records = []
    for path in (path for folder in folders for path in record_folders(folder / "records").values()):
        with suppress(HmcbenchError):
            records.append(read_record(path))
    chosen = seed if seed is not None else secrets.randbelow(10**6)
    return rerun_cells(records, count, data, default_registry(), seed=chosen, device=device)


def _print_report(report: Report) -> None:
    for part in report.suites:
        _print_suite(part)
    for line in _lines(report.findings):
        click.echo(line)
    click.echo(_verdict(report))


def _print_rerun(report: RerunReport) -> None:
    count = len(report.refitted)
    click.echo(
        f"fitted again: {count} of {report.cells} cells, chosen at random (--rerun-seed {report.seed})"
    )
    for cell in report.refitted:
        click.echo(f"  {cell.verdict:<19}  {cell.record}: {cell.text}")
    for reason, names in report.not_here.items():
        click.echo(f"  not fitted here: {len(names)} cell{'s' * (len(names) > 1)}; {reason}")


def _print_suite(suite: SuiteReport) -> None:
    hidden = sum(len(names) for names in suite.unchecked.values())
    text = f"{suite.name}: {suite.checked} of {suite.records} records recomputed"
    if suite.failed:
        text += f" ({suite.failed} more failed and have no numbers)"
    click.echo(f"{text}, {hidden} not checkable here")
    click.echo(f"  {_numbers([suite])}")
    for reason, names in suite.unchecked.items():
        click.echo(f"  not checkable here: {len(names)} records; {reason}")
    if suite.files is not None:
        click.echo(f"  {suite.files} files compared with SHA256SUMS, whose own digest is {suite.digest[:16]}")
    for note in suite.notes:
        click.echo(f"  note: {note}")
    for line in _lines(suite.findings):
        click.echo(f"  {line}")


def _numbers(suites: Sequence[SuiteReport]) -> str:
    """How many numbers were recomputed, only compared, and neither."""
    recomputed, compared, hidden = (
        sum(getattr(suite, name) for suite in suites) for name in ("recomputed", "compared", "uncheckable")
    )
    text = f"{recomputed:,} numbers recomputed from predictions, {compared:,} only compared with records"
    return text + (f", {hidden:,} not checkable here" if hidden else "")


def _lines(findings: Sequence[Finding]) -> list[str]:
    """One line per finding; findings that differ only in their place are counted."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.kind, finding.what, repr(finding.published), repr(finding.recomputed))
        groups.setdefault(key, []).append(finding)
    lines = []
    for group in groups.values():
        more = f" (and {len(group) - 1} more like it)" if len(group) > 1 else ""
        lines.append(f"{TITLES[group[0].kind]}: {group[0]}{more}")
    hidden = len(lines) - MOST
    return lines if hidden <= 0 else [*lines[:MOST], f"and {hidden} more; --json prints all"]


def _verdict(report: Report) -> str:
    count = sum(1 for _ in report.all_findings())
    verified, records = (sum(getattr(s, name) for s in report.suites) for name in ("checked", "records"))
    numbers = f"{_numbers(report.suites)} ({verified:,} of {records:,} records)"
    if not report.clean:
        return f"not clean: {count} finding{'s' * (count > 1)}; {numbers}"
    if not verified:
        return f"nothing could be recomputed here, and nothing differs; {numbers}"
    return f"clean: {numbers}"
