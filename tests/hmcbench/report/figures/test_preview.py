"""Previews: the right pixels in the right places, and what the command refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from hmcbench.report.figures import preview, style


def test_every_pixel_has_its_own_scale_and_bytes_have_none() -> None:
    rows = np.array([[[0.0, 5.0]], [[2.0, 5.0]], [[4.0, np.nan]]])
    pictures, told = preview.grey_levels(rows, [1, 0])
    np.testing.assert_array_equal(pictures, [[[0.5, 1.0]], [[0.0, 1.0]]])
    assert "over 3 samples" in told
    constant, _ = preview.grey_levels(np.full((3, 2, 2), 7.0), [0])
    assert not constant[0].any()
    bytes_, told = preview.grey_levels([np.array([[0, 255]], np.uint8)] * 2, [0])
    np.testing.assert_array_equal(bytes_[0], [[0.0, 1.0]])
    assert told == "grey levels as they are"


def test_what_is_there_is_named_the_most_first() -> None:
    row, names = np.array([0.0, 2.0, 30.0, 0.5]), ["H", "He", "Li", "Be"]
    assert preview.named_values(row, names).replace("\u00a0", " ") == "Li 30, He 2, Be 0.5"
    assert preview.named_values(row, names, most=1).replace("\u00a0", " ") == "Li 30, …"


def test_the_key_names_parts_and_pixels() -> None:
    content = preview.Preview([np.zeros((4, 6))] * 4, ["a$b"] * 4, [["one", "two"]], [["x", ""], ["y", "z"]])
    with style.styled():
        figure = preview.draw(content, "title")
    texts = [text.get_text() for part in figure.subfigs[1].axes for text in part.texts]
    assert texts == ["one", "two", "x", "", "y", "z"]
    shown = figure.subfigs[0].axes
    assert [len(ax.images) for ax in shown] == [1, 1, 1, 1, 0, 0]
    assert shown[0].get_title() == r"a\$b"


def test_the_command_draws_chosen_samples(cli: Callable[..., Any], tmp_path: Path) -> None:
    out = tmp_path / "f.png"
    ended = cli("data", "preview", "sem-failure[size=32]", "--view", "pixels[size=16]", "--out", out)
    assert ended.status == 0 and "6 of 4,771 samples, synthetic" in ended.out, ended
    with Image.open(out) as six:
        height = six.height
    sample = ["--sample", "synthetic-train-fatigue-0001"]
    ended = cli("data", "preview", "sem-failure[size=32]", "--view", "image", *sample, "--out", out)
    assert ended.status == 0 and "1 of 4,771" in ended.out, ended
    with Image.open(out) as alone:
        assert alone.height < height


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["toy-tree", "--view", "table", "--out", "f.png"], r"no picture \(its shape is \(8,\)\)"),
        (["toy-tree", "--view", "tabel", "--out", "f.png"], "needs the view 'tabel'"),
        (["toy-tre", "--view", "table", "--out", "f.png"], "did you mean 'toy-tree'"),
        (["toy-tree", "--view", "table", "--out", "f.jpg"], "ends in .png"),
        (["toy-tree", "--view", "table", "--out", "none/f.png"], "no folder none"),
        (["toy-tree", "--view", "table", "--data", "x", "--out", "f.png"], "reads no files"),
        (["sem-failure", "--view", "image", "--sample", "x", "--out", "f.png"], "--sample x: no such sample"),
    ],
)
def test_what_the_command_refuses(
    args: list[str], says: str, cli: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    ended = cli("data", "preview", *args)
    assert ended.status == 2 and re.search(says, ended.err), ended
    assert not list(tmp_path.glob("f.*"))
