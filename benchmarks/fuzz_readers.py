"""Damaged files for every reader: the result must be content or one clear line, never a traceback.

``python benchmarks/fuzz_readers.py --inputs 100000`` reads that many mutations, the same ones for the same
seed. Inputs that break a reader are written to ``--keep`` and listed, and the exit status is 1.
tests/test_fuzz.py runs a small part of it.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hmcbench.errors import BadInput, HmcbenchError
from hmcbench.leaderboard.intervals import Intervals
from hmcbench.publish.withheld_truth import to_text
from hmcbench.records.predictions import Predictions
from hmcbench.records.record import read_record
from hmcbench.testing.helpers import tiny_dataset

TOKENS = [
    *(b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b'"', b"'", b",", b";", b"\n", b"\r", b"="),
    *(b"[" * 5000, b"{" * 3000, b'{"a":' * 3000, b"[[" * 400 + b"]]" * 400, b"9" * 5000, b"1e999", b"-1"),
    *(b"nan", b"NaN", b"Infinity", b"null", b"true", b"[]", b"{}", b'""', b"0x7fffffff", b"1.5", b"../../x"),
    *(
        b" " * 20_000,
        b"'" * 3000,
        b"," * 3000,
        b"NaN,",
        b'"a":',
        b"[1]",
        b"-Infinity",
        b"%",
        b"{",
        b"}",
        b"|",
    ),
    *(b"/etc/passwd", b"\x7f\xff\xff\xff", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"<script>", b"=cmd()"),
]


HANG_S = 10.0


class Hang(BaseException):
    """A reader takes too long; no reader takes it for a file that cannot be read."""


@dataclass(frozen=True)
class Reader:
    """A file name, valid contents, and a function that reads a path."""

    name: str
    seeds: Sequence[bytes]
    read: Callable[[Path], Any]
    others: Mapping[str, bytes] = ()  # type: ignore[assignment]  # files beside it


def mutate(seed: bytes, rng: random.Random, others: Sequence[bytes]) -> bytes:
    """One to four changes: bits, bytes, cuts, repeats, tokens, pieces of other files."""
    data = bytearray(seed)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data) + 1)
        span = min(len(data) - at, rng.choice((1, 2, 4, 16, 64)))
        kind = rng.randrange(8)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            data[at : at + span] = rng.randbytes(span)
        elif kind == 2:
            del data[at:]
        elif kind == 3:
            del data[at : at + span]
        elif kind == 4:
            data[at:at] = data[at : at + span] * rng.randint(1, 8)
        elif kind == 5:
            data[at : at + rng.choice((0, 0, span))] = rng.choice(TOKENS)
        elif kind == 6:
            other = rng.choice(others)
            start = rng.randrange(len(other) + 1)
            data[at : at + span] = other[start : start + 64]
        else:
            _swap_token(data, rng)
    return bytes(data)


def _swap_token(data: bytearray, rng: random.Random) -> None:
    """Replace the bytes between two separators: a number, a string, a cell."""
    marks = [i for i, byte in enumerate(data[:20000]) if byte in b',:="\n[]{} ']
    if len(marks) > 1:
        first = rng.randrange(len(marks) - 1)
        data[marks[first] + 1 : marks[first + 1]] = rng.choice(TOKENS)


# --------------------------------------------------------------------------- the readers


def pictures() -> dict[str, list[bytes]]:
    rng = np.random.default_rng(0)
    images: dict[str, list[bytes]] = {"png": [], "jpg": [], "tif": [], "bmp": []}
    for mode, shape in (("L", (12, 14)), ("RGB", (12, 14, 3))):
        image = Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8), mode)
        for kind, name in (("png", "PNG"), ("jpg", "JPEG"), ("tif", "TIFF"), ("bmp", "BMP")):
            file = io.BytesIO()
            image.save(file, name)
            images[kind].append(file.getvalue())
    file = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (12, 14), dtype=np.uint8)).save(
        file, "TIFF", compression="tiff_deflate"
    )
    images["tif"].append(file.getvalue())
    return images


def read_picture(path: Path) -> Any:
    """As ``hmcbench predict`` reads it."""
    from hmcbench_sem.reader.images import ImageFile
    from hmcbench_sem.reader.unlabelled import read_images

    from hmcbench.errors import Problem

    (image,) = read_images([str(path)], crop_bottom="auto")
    if isinstance(image, ImageFile):
        return image.load(8)
    assert isinstance(image, Problem)
    if "\n" in str(image.what):
        raise AssertionError("a reason of several lines")
    return image


def predictions_file() -> bytes:
    data = tiny_dataset(12, "tree")
    n = len(data.ids)
    scores = np.random.default_rng(0).random((n, data.task.hierarchy.n)).astype(np.float32)  # type: ignore[union-attr]
    predictions = Predictions(list(data.ids), ["test"] * n, scores, data.task, data.targets)
    with tempfile.TemporaryDirectory() as folder:
        predictions.save(Path(folder, "p.npz"))
        return Path(folder, "p.npz").read_bytes()


def record_file() -> bytes:
    data = {
        "schema": 1,
        "key": "0123456789abcdef",
        "status": "ok",
        "suite": {"name": "s", "version": 1, "primary": "x"},
        "dataset": {"name": "toy", "fingerprint": "d"},
        "split": {"fold": 0, "fingerprint": "f"},
        "model": {"label": "m", "params": {"x": 1.5}},
        "profile": "quick",
        "seed": 0,
        "metrics": {"test": {"x": 0.5}},
        "timing": {"fit_s": 1.0},
    }
    return json.dumps(data, indent=1).encode()


def intervals_file() -> bytes:
    column = {"low": 0.1, "high": 0.3, "values": [0.2], "support": 10, "constant": False}
    row = {"made": "2026-01-02", "records": {"k": "d"}, "columns": {"m": column}}
    rows = [
        row | {"model": "a", "differences": {}},
        row | {"model": "b", "differences": {"a": {"m": [0.1, 0.2, 0.03]}}},
    ]
    return to_text([{"board": "x", "rows": rows}]).encode()


def cifar_file() -> bytes:
    arrays = {"fine_names": np.array(["a", "b"]), "coarse_names": np.array(["x"])}
    for side in ("train", "test"):
        arrays[f"x_{side}"] = np.zeros((2, 32, 32, 3), np.uint8)
        arrays[f"y_fine_{side}"], arrays[f"y_coarse_{side}"] = np.array([0, 1]), np.array([0, 0])
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def weights_file() -> bytes:
    from safetensors.numpy import save

    return save({"a.weight": np.zeros((3, 4), np.float32), "a.bias": np.ones(3, np.float32)})


def all_readers() -> list[Reader]:
    """All readers whose libraries are installed."""
    from hmcbench_materials.composition.formula import FormulaError, parse_formula
    from hmcbench_materials.tables import read_table
    from hmcbench_sem.reader.listing import read_listing
    from hmcbench_tables.lint import lint

    from hmcbench.leaderboard.files import read_info
    from hmcbench.metrics.csv_files import score_files
    from hmcbench.plan.suite import load_suite, parse_suite
    from hmcbench.registry.registry import default_registry
    from hmcbench.reproduce.tables import parse_table

    root = Path(__file__).resolve().parents[1]
    table_files = sorted(root.glob("plugins/**/tables/*.toml"))
    suites = [p.read_bytes() for p in sorted(root.glob("plugins/**/*.toml")) if p not in table_files]
    tables = [p.read_bytes() for p in table_files]
    h, t = b"parent,child\n,a\na,b\n,x\n", b"id,labels\n1,b\n2,x\n"
    p = b"id,a,b,x\n1,0.9,0.8,0.1\n2,0.2,0.1,0.9\n"
    beside = {"H.csv": h, "T.csv": t, "P.csv": p}

    def score(path: Path) -> Any:
        files = {name: path.with_name(name) for name in beside} | {path.name: path}
        return score_files(files["H.csv"], files["T.csv"], files["P.csv"], specs=())

    def formula(path: Path) -> Any:
        try:
            return parse_formula(_utf8(path))
        except FormulaError as error:  # readers of tables report it as a problem of the row
            raise BadInput(str(error)) from None

    index = b'file,level1,level2,split\na.png,x,y,train\nb.png,x,"z",test\n'
    sheet = b"formula,phase,T (C)\nFe2O3,bcc,20.5\nAl0.5Ni1,fcc,1e3\n"
    own = [b"x,kind,day,fail,wear,heat\n" + b"1.5,L,2024-01-02,1,0,1\n2,M,,0,0,0\n,L,2024-01-02,1,1,0\n" * 12]
    readers = [
        Reader("s.toml", suites, lambda path: load_suite(default_registry(), str(path))),
        Reader("t.toml", tables, lambda path: parse_table(_utf8(path), path.name)),
        Reader("u.toml", suites, lambda path: parse_suite(_utf8(path), path.name)),
        Reader("record.json", [record_file()], lambda path: read_record(path.parent)),
        Reader("suite.json", [record_file()], lambda path: read_info(path.parent)),
        Reader("intervals.json", [intervals_file()], lambda path: Intervals.read(path.parent)),
        Reader("predictions.npz", [predictions_file()], Predictions.load),
        Reader("H.csv", [h], score, beside),
        Reader("T.csv", [t], score, beside),
        Reader("P.csv", [p, t], score, beside),
        Reader("index.csv", [index, b"file,labels\na.png,x/y;z\n"], lambda path: read_listing(path.parent)),
        Reader("sheet.csv", [sheet], read_table),
        Reader("own.csv", own, lambda path: lint(path=str(path), labels="wear;heat", parent="fail")),
        Reader("own.tsv", own, lambda path: lint(path=str(path), target="x")),
        Reader("formula.txt", [b"Zr0.5(Al2O3)3", b"Fe55.2Ni44.8"], formula),
    ]
    readers += [Reader(f"x.{kind}", seeds, read_picture) for kind, seeds in pictures().items()]
    readers += [*arff_readers(), *mask_readers(), answers_reader()]
    try:
        import torch  # noqa: F401
        from hmcbench_timm.cifar100 import read_archive

        from hmcbench.torchkit.weights import read_settings, read_state
    except ImportError:
        return readers
    settings = {"format": 1, "input": [1], "threads": 1, "normalise": 0, "mean": [0], "std": [1], "facts": {}}
    return [
        *readers,
        Reader("cifar.npz", [cifar_file()], read_archive),
        Reader("weights.safetensors", [weights_file()], read_state),
        Reader("model.json", [json.dumps(settings).encode()], read_settings),
    ]


def arff_readers() -> list[Reader]:
    """ARFF files with paths, with pairs, sparse, compressed; and labels in Mulan's XML."""
    from hmcbench_hmc.arff.dataset import arff

    attributes = (
        b"% x\n@relation 'a b'\n@attribute size numeric\n@attribute 'the colour' {red,'light blue'}\n"
    )
    paths = attributes + b"@attribute class hierarchical a,a/b,a/c,d\n@data\n"
    pairs = attributes + b"@attribute k key\n@attribute class hierarchical root/a,a/b,a/c\n@data\n"
    seeds = [
        paths + b"1,red,a/b\n2.5,'light blue',a/c@d\n?,?,d:0.7\n-1e2, red ,a/b@a/c % last\n",
        paths + b"{0 1.5, 2 a/b}\n{1 'light blue', 2 d}\n",
        pairs + b"1,red,k1,b@c\n2,red,k2,root/a\n",
    ]
    flat = b"@attribute x real\n@attribute a {0,1}\n@attribute ab {0,1}\n@attribute b {0,1}\n@data\n"
    flat += b"1,1,1,0\n2,0,0,1\n"
    labels = (
        b'<?xml version="1.0" encoding="utf-8"?>\n<labels xmlns="http://mulan.sourceforge.net/labels">\n'
        b'<label name="a"><label name="ab"></label></label>\n<label name="b"></label>\n</labels>\n'
    )
    return [
        Reader("x.arff", [*seeds, gzip.compress(seeds[0], mtime=0)], lambda path: arff(path=str(path))),
        Reader("y.arff", [flat], lambda path: arff(path=str(path)), {"y.xml": labels}),
        Reader("z.xml", [labels], lambda path: arff(path=str(path.with_suffix(".arff"))), {"z.arff": flat}),
    ]


def mask_readers() -> list[Reader]:
    """Folders of images with polygons (COCO, labelme), run lengths, or masks and ``classes.csv``."""
    from hmcbench_masks.lint import lint

    grey = Image.fromarray(np.arange(600, dtype=np.uint16).astype(np.uint8).reshape(20, 30))
    mask = Image.fromarray((np.arange(600).reshape(20, 30) % 3).astype(np.uint8))
    contents = []
    for image in (grey, mask):
        file = io.BytesIO()
        image.save(file, "PNG")
        contents.append(file.getvalue())
    images = {"images/p.png": contents[0], "images/q.png": contents[0]}
    square = [2, 2, 9, 2, 9, 9, 2, 9]
    coco = {
        "images": [{"id": i, "file_name": f"{n}.png", "height": 20, "width": 30} for i, n in enumerate("pq")],
        "categories": [{"id": 1, "name": "pore", "supercategory": "defect"}, {"id": 2, "name": "crack"}],
        "annotations": [
            {"id": 1, "image_id": 0, "category_id": 1, "segmentation": [square]},
            {"id": 2, "image_id": 1, "category_id": 2, "segmentation": [square, square]},
        ],
    }
    shapes = [
        {"label": "pore", "points": [[2, 2], [9, 2], [9, 9.5]], "shape_type": "polygon"},
        {"label": "dirt", "points": [[20, 5], [25, 9]], "shape_type": "rectangle"},
    ]
    labelme = {"imagePath": "p.png", "imageHeight": 20, "imageWidth": 30, "shapes": shapes}
    runs = b"ImageId,ClassId,EncodedPixels\np.png,1,3 4 30 2\nq.png,2,1 1\np.png,2,\n"
    joined = b"ImageId_ClassId,EncodedPixels\np.png_1,3 4 30 2\n"
    classes = (
        b"value,path,objects\n0,metal,\n1,defect/pore,yes\n#020202,defect/crack|dirt,no\nother,ignore,\n"
    )
    masked = {"images/p.png": contents[0], "masks/p.png": contents[1]}

    def folder(path: Path) -> Any:
        return lint(path=str(path.parent))

    return [
        Reader("coco.json", [json.dumps(coco).encode()], folder, images),
        Reader("p.json", [json.dumps(labelme).encode()], folder, images),
        Reader("train.csv", [runs, joined], folder, images),
        Reader("classes.csv", [classes], folder, masked),
        Reader(
            "masks/p.png",
            [contents[1]],
            lambda path: folder(path.parent),
            {"images/p.png": contents[0], "classes.csv": classes},
        ),
    ]


def answers_reader() -> Reader:
    """Predictions of others, as ``hmcbench bring`` reads them."""
    from hmcbench.derive.answers import read_answers

    task = tiny_dataset(12, "tree").task
    sets = b"id,labels,rater,seconds\ns1,a1,Ann,1.5\ns2,b1|b,Ben,0\ns1,b2,Ben,2\n"
    scores = b"id,a,b,a1,a2,b1,b2,b3\ns1,0.5,0.5,0.5,0,0,0.25,0.25\ns2,1,0,1,0,0,0,0\n"
    return Reader("answers.csv", [sets, scores], lambda path: read_answers(path, task))


def _utf8(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


# --------------------------------------------------------------------------- the run


@dataclass
class Outcome:
    """Inputs per reader, how many were refused, those that broke a reader, and the slowest."""

    inputs: Counter[str]
    refused: Counter[str]
    broken: list[tuple[str, str, bytes]]
    slowest: tuple[float, str]


def fuzz(total: int, seed: int = 0) -> Outcome:
    """Read ``total`` mutations, spread evenly over the readers."""
    every = all_readers()
    outcome = Outcome(Counter(), Counter(), [], (0.0, ""))
    seeds = [content for reader in every for content in reader.seeds]
    with tempfile.TemporaryDirectory() as base:
        for i, reader in enumerate(every):
            folder = Path(base, f"{i}")
            folder.mkdir()
            for name, content in dict(reader.others).items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            (folder / reader.name).parent.mkdir(parents=True, exist_ok=True)
            rng = random.Random(f"{seed} {reader.name}")
            for k in range(total // len(every) + (i < total % len(every))):
                data = mutate(rng.choice(reader.seeds), rng, seeds) if k else reader.seeds[0]
                _read(reader, folder / reader.name, data, outcome)
    return outcome


def _read(reader: Reader, path: Path, data: bytes, outcome: Outcome) -> None:
    path.write_bytes(data)
    outcome.inputs[reader.name] += 1
    start = time.perf_counter()
    try:
        with _stopped_after(HANG_S):
            result = reader.read(path)
        outcome.refused[reader.name] += type(result).__name__ == "Problem"
    except HmcbenchError as error:
        outcome.refused[reader.name] += 1
        if "\n" in str(error):
            outcome.broken.append((reader.name, f"a message of several lines: {str(error)!r}", data))
    except (Exception, Hang):
        outcome.broken.append((reader.name, traceback.format_exc(limit=-3), data))
    outcome.slowest = max(outcome.slowest, (time.perf_counter() - start, reader.name))


@contextmanager
def _stopped_after(seconds: float) -> Iterator[None]:
    """Raise Hang in what takes longer."""

    def stop(_signal: int, _frame: Any) -> None:
        raise Hang(f"longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="write inputs that break a reader to this folder")
    options = parser.parse_args()
    start = time.perf_counter()
    outcome = fuzz(options.inputs, options.seed)
    for name, count in outcome.inputs.items():
        print(f"{name:24} {count:7} inputs, {outcome.refused[name]:7} refused")
    for i, (name, _, data) in enumerate(outcome.broken):
        if options.keep:
            options.keep.mkdir(parents=True, exist_ok=True)
            (options.keep / f"{i}-{name}").write_bytes(data)
    for (name, cause), count in Counter((name, cause) for name, cause, _ in outcome.broken).most_common(20):
        print(f"--- {name}, {count} times: {cause}")
    total, (slowest, name) = sum(outcome.inputs.values()), outcome.slowest
    elapsed = f"{time.perf_counter() - start:.0f} s; slowest {slowest:.2f} s ({name})"
    print(f"{total} inputs, {len(outcome.broken)} broke a reader, {elapsed}")
    return 1 if outcome.broken else 0


if __name__ == "__main__":
    sys.exit(main())
