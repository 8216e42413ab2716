"""What is uploaded works: wheel and source distribution, installed elsewhere and run from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MOST_MB = 10.0  # of either file


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """``sdist`` and ``wheel`` (built from the sdist), without network."""
    uv = pytest.importorskip("uv", reason="uv builds them").find_uv_bin()
    pytest.importorskip("hatchling", reason="the build backend")
    folder = tmp_path_factory.mktemp("dist")
    command = [uv, "build", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*command, "--out-dir", folder, ROOT], check=True, capture_output=True, timeout=300)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


@pytest.mark.parametrize("kind", ["sdist", "wheel"])
def test_it_installs_and_runs_in_an_empty_folder(
    distributions: dict[str, Path], kind: str, tmp_path: Path
) -> None:
    uv = pytest.importorskip("uv").find_uv_bin()
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    install = [
        uv,
        "pip",
        "install",
        "--offline",
        "--no-deps",
        "--no-build-isolation",
        "--python",
        sys.executable,
    ]
    subprocess.run(
        [*install, "--target", site, distributions[kind]], check=True, capture_output=True, timeout=300
    )
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        "PYTHONPATH": str(site),
        "HMCBENCH_CACHE": str(tmp_path / "cache"),
    }

    def ended(*arguments: str) -> str:
        command = [sys.executable, *arguments]
        completed = subprocess.run(
            command, cwd=empty, env=environment, check=True, capture_output=True, text=True, timeout=300
        )
        return completed.stdout

    where = Path(ended("-c", "import hmcbench, hmcbench_toy; print(hmcbench.__file__)").strip())
    assert where == site / "hmcbench" / "__init__.py"
    ended("-m", "hmcbench", "run", "--suite", "smoke", "--quiet")
    assert (empty / "runs" / "smoke" / "leaderboard.md").is_file()
    assert "hmc-classic" in ended("-m", "hmcbench", "list", "suites")


def test_both_hold_all_files_of_the_package_and_are_small(distributions: dict[str, Path]) -> None:
    assert all(path.stat().st_size < MOST_MB * 1e6 for path in distributions.values())
    with zipfile.ZipFile(distributions["wheel"]) as wheel:
        installed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    with tarfile.open(distributions["sdist"]) as sdist:
        names = {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}
    packages = {name.removeprefix("plugins/") for name in names if name.startswith(("hmcbench/", "plugins/"))}
    assert installed == packages
    assert {"README.md", "LICENSE", "pyproject.toml", "tox.ini", "constraints.txt"} <= names
    assert not any(name.startswith("results/") for name in names)
