from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from hmcbench.leaderboard.boards import Boards
from hmcbench.leaderboard.build import build
from hmcbench.leaderboard.render.latex import latex, to_latex
from hmcbench.records.record import Record

EVIL = r"\input{/etc/passwd} $x^2_1$ % 50 & a # b ~ {c} [d] <e> |f| `g` ''h'' \\ --"

COMMANDS = set(
    re.findall(
        r"\\\w+",
        r"\begin\end\centering\small\caption\label\toprule\midrule\bottomrule\usepackage\textbf\scriptsize"
        r"\linewidth\uparrow\downarrow\textbackslash\textasciicircum\textasciitilde\textless\textgreater\textbar"
        r"\textasciigrave",
    )
)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a_b & 5 %", r"a\_b \& 5 \%"),
        (r"\x{y}", r"\textbackslash{}x\{y\}"),
        ("$a^2$ ~ #1", r"\$a\textasciicircum{}2\$ \textasciitilde{} \#1"),
        ("<a|b>", r"\textless{}a\textbar{}b\textgreater{}"),
        ("m[k=1]", "m{[}k=1{]}"),
        ("a--b", "a-{}-{}b"),
        ("r2 ↑", r"r2 $\uparrow$"),
        ("a\n\tb\x00", "a b"),
    ],
)
def test_escaping(given: str, expected: str) -> None:
    assert latex(given) == expected


@pytest.fixture
def text(fabricate: Callable[..., Record]) -> str:
    dataset = {"name": EVIL, "reference": EVIL, "synthetic": True}
    suite = {"name": EVIL, "primary": "hf1_samples"}
    records = [
        fabricate("a", 0.9, model={"label": EVIL}, dataset=dataset, suite=suite, hardware={"cpu": EVIL}),
        fabricate("b", 0.5, dataset=dataset, suite=suite, hardware={"cpu": EVIL}),
        fabricate("c", status="failed", cause="time-out", dataset=dataset, suite=suite),
    ]
    row = {"model": EVIL, "source": EVIL, "data": EVIL, "note": EVIL, "metrics": {"hf1_samples": 0.5}}
    info = {"suite": {"name": EVIL, "columns": ["exact_match", EVIL], "reference": "b"}, "published": [row]}
    return to_latex(build(records, info))


def test_nothing_that_came_from_elsewhere_is_a_command(text: str) -> None:
    own = set(re.findall(r"\\[A-Za-z]+", text))
    assert own == COMMANDS
    bare = re.sub(r"\\[^A-Za-z]|\\[A-Za-z]+", "", text)
    assert bare.count("{") == bare.count("}")
    assert re.findall("%.*", bare) == ["% needs {booktabs}; written by hmcbench leaderboard --format latex"]
    assert "#" not in bare and "^" not in bare and "~" not in bare and "_" not in bare
    assert set(re.findall(r"\$[^$]*\$", bare)) <= {"$$", "$-$"}


def test_every_row_has_the_cells_of_its_table(text: str) -> None:
    tables = re.findall(r"\\begin{tabular}{([^\n]+)}\n\\toprule\n(.*?)\\bottomrule", text, re.DOTALL)
    assert len(tables) == 4  # quality, costs, differences, published
    for shape, body in tables:
        columns = len(re.sub(r"\{.*?\}", "", shape))
        for line in body.splitlines():
            if line != r"\midrule":
                assert line.endswith(r" \\") and len(re.findall(r"(?<!\\)&", line)) == columns - 1
    assert "failed: time-{}out" in text and "These samples are synthetic" in text


def test_every_label_is_there_once(fabricate: Callable[..., Record]) -> None:
    """Boards that differ in the split or in its settings, and datasets under two suite versions."""
    records = []
    for version, split in (
        ("1", {}),
        ("1", {"train_share": [0.5]}),
        ("1", {"label_noise": [0.1]}),
        ("2", {}),
    ):
        suite = {"version": version, "primary": "hf1_samples"}
        for data in ("x[n=1]", "x[n=2]", "y"):
            dataset = {"name": data[0], "reference": data}
            records += [
                fabricate(model, accuracy, suite=suite, dataset=dataset, split=split)
                for model, accuracy in (("a", 0.9), ("b", 0.5))
            ]
    labels = re.findall(r"\\label{(.*)}", to_latex(build(records)))
    assert len(labels) > 20 and len(set(labels)) == len(labels)


def test_a_board_alone_has_a_short_label(fabricate: Callable[..., Record]) -> None:
    (label, *_) = re.findall(r"\\label{(.*)}", to_latex(build([fabricate("a"), fabricate("b")])))
    assert re.fullmatch(r"tab:smoke-1-toy-[0-9a-f]{8}-quick", label)


def test_no_records() -> None:
    assert "no records" in to_latex(Boards())


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex here")
def test_it_compiles(text: str, tmp_path: Path) -> None:
    page = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n" + text + "\\end{document}\n"
    (tmp_path / "t.tex").write_text(page, encoding="utf-8")
    args = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    completed = subprocess.run(args, check=False, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert completed.returncode == 0, completed.stdout[-2000:]
