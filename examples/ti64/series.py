"""Sort micrographs of Ti-6Al-4V specimens by their series: series.py SOURCE TARGET.

SOURCE holds ``specimens.csv`` (file, level1_series, ..., level3_specimen such as B3067) and the images it
names. TARGET gets a folder per series, ``B`` and ``S``, each with its images and an ``index.csv`` of two
levels that both share: what the first two figures of a specimen's code say (30 or 60), and all four (3067,
3090, 6067, 6090).
"""

from __future__ import annotations

import csv
import shutil
import sys
from pathlib import Path

from prepare import read

COLUMNS = ("file", "level1_series", "level3_specimen")


def main(source: Path, target: Path) -> None:
    """Write the folders.

    Raises:
        ValueError: a table that lacks a column or a value. Nothing is written.
        OSError: a file of the source that cannot be read. Nothing is written where it cannot be opened.
    """
    micrographs = [row for _where, row in read(source / "specimens.csv", COLUMNS)]
    for row in micrographs:
        with (source / row["file"]).open("rb"):
            pass  # an image that is absent is told before anything is written
    for series in sorted({row["level1_series"] for row in micrographs}):
        folder = target / series
        folder.mkdir(parents=True, exist_ok=True)
        rows = [("file", "level1", "level2")]
        for row in micrographs:
            if row["level1_series"] == series:
                name, code = Path(row["file"]).name, row["level3_specimen"].removeprefix(series)
                shutil.copyfile(source / row["file"], folder / name)
                rows.append((name, code[:2], code))
        with (folder / "index.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
    except (ValueError, OSError) as error:
        sys.exit(f"series.py: {error}")
