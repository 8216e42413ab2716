"""Damaged files that look for new branches.

``python benchmarks/fuzz_coverage.py --seconds 60 x.arff coco.json``.

The readers and first inputs are those of ``fuzz_readers.py``, but atheris (``pip install atheris``)
chooses the next input: one that reached a new branch of hmcbench is changed further. Each reader runs in
a process of its own, with at most 10 s for an input and 2 GiB of memory. An input that ends in anything
but content or one clear line is written to ``--keep``; the exit status is then 1.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from hmcbench.errors import HmcbenchError

READERS = (
    *("x.arff", "y.arff", "z.xml", "own.csv", "sheet.csv", "index.csv", "T.csv", "H.csv", "P.csv"),
    *("coco.json", "p.json", "train.csv", "classes.csv", "answers.csv"),
    *("record.json", "suite.json", "intervals.json", "predictions.npz", "s.toml", "u.toml", "t.toml"),
)
PACKAGES = [
    "hmcbench",
    "hmcbench_hmc",
    "hmcbench_masks",
    "hmcbench_materials",
    "hmcbench_sem",
    "hmcbench_tables",
]
HANG_S, MEMORY_MB = 10, 2048
DONE = re.compile(r"#(\d+)\s+DONE\s+cov: (\d+)")


def guided(name: str, folder: Path, corpus: Path) -> None:
    """Fuzz one reader in this process; never returns."""
    import atheris

    with atheris.instrument_imports(include=PACKAGES):
        import fuzz_readers

        reader = next(reader for reader in fuzz_readers.all_readers() if reader.name == name)
        for other, content in dict(reader.others).items():
            (folder / other).parent.mkdir(parents=True, exist_ok=True)
            (folder / other).write_bytes(content)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        corpus.mkdir(exist_ok=True)
        for i, seed in enumerate(
            reader.seeds
        ):  # here, so that modules which a reader imports late are followed
            path.write_bytes(seed)
            reader.read(path)
            (corpus / f"seed-{i}").write_bytes(seed)
        tokens = [token for token in fuzz_readers.TOKENS if 0 < len(token) < 64]
    words = "".join('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in tokens)
    (folder / "words.dict").write_text(words, "ascii")

    def one_input(data: bytes) -> None:
        path.write_bytes(data)
        try:
            reader.read(path)
        except HmcbenchError as error:
            if "\n" in str(error):
                raise AssertionError(f"a message of several lines: {str(error)!r}") from None

    atheris.Setup([*sys.argv[:1], f"-dict={folder / 'words.dict'}", *sys.argv[5:]], one_input)
    atheris.Fuzz()


def fuzzed(name: str, seconds: int, seed: int, keep: Path) -> tuple[int, int, str]:
    """Inputs, branches reached, and what broke the reader (empty if nothing did)."""
    with tempfile.TemporaryDirectory() as temporary:
        folder, corpus = Path(temporary, "files"), Path(temporary, "corpus")
        folder.mkdir()
        limits = [f"-timeout={HANG_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_total_time={seconds}"]
        options = [
            *limits,
            f"-seed={seed + 1}",
            "-max_len=65536",
            f"-artifact_prefix={keep}/{name}-",
            str(corpus),
        ]
        command = [sys.executable, __file__, "--one", name, str(folder), str(corpus), *options]
        completed = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    text = completed.stdout + completed.stderr
    counts = DONE.findall(text) or re.findall(r"#(\d+)\s+\S+\s+cov: (\d+)", text) or [("0", "0")]
    told = [line for line in text.splitlines() if not line.startswith("INFO: Instrumenting")]
    broken = "" if completed.returncode == 0 else "\n".join(told[-40:])
    return int(counts[-1][0]), int(counts[-1][1]), broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("readers", nargs="*", help="names of files; all by default")
    parser.add_argument("--seconds", type=int, default=60, help="for each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, default=Path("fuzz-inputs"))
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    total, broken_readers = 0, 0
    for name in options.readers or READERS:
        inputs, branches, broken = fuzzed(name, options.seconds, options.seed, options.keep.resolve())
        total, broken_readers = total + inputs, broken_readers + bool(broken)
        print(f"{name:16} {inputs:8} inputs, {branches:5} branches{', BROKEN' if broken else ''}", flush=True)
        if broken:
            print(broken, flush=True)
    print(f"{total} inputs, {broken_readers} readers broken", flush=True)
    return 1 if broken_readers else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        guided(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
    sys.exit(main())
