"""The places where a dataset may be given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hmcbench_materials.data import datasets, locate
from hmcbench_materials.data.datasets import KINDS, load
from hmcbench_materials.data.sources import SOURCES

from hmcbench.errors import BadInput

NIMS_ROW = "865,865,550,0.35,0.21,0.77,0.021,0.022,0.01,0.01,0.02,0,825,0.05,0.03,0,397,736,1482,235"
HEADER = "NT,QT,TT,C,Si,Mn,P,S,Ni,Cr,Cu,Mo,RR,dA,dB,dC,fatigue,tensile,fracture,hardness"


def test_given_path_then_environment_then_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    places = {}
    for k, place in enumerate(("given", "environment", "cache/data/nims-steel")):
        folder = tmp_path / place
        folder.mkdir(parents=True)
        rows = [NIMS_ROW.replace("865", f"86{k}", 1).replace("397", str(397 + i)) for i in range(4)]
        (folder / "NIMS-Fatigue.csv").write_text("\n".join([HEADER, *rows]))
        places[place] = str(folder)

    def first(path: str = "") -> Any:
        return load("nims-steel", path=path).views["table"][0, 0]

    assert first() == 862
    monkeypatch.setenv(locate.variable("nims-steel"), places["environment"])
    assert first() == 861
    assert first(places["given"]) == 860
    assert load("nims-steel", source="synthetic").synthetic


@pytest.mark.parametrize("name", KINDS)
def test_one_error_names_the_ways_to_give_data(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path))
    with pytest.raises(BadInput) as caught:
        load(name, source="real")
    message = str(caught.value)
    assert f"--data {name}=PATH" in message and locate.variable(name) in message
    assert str(tmp_path / "data" / name) in message and "source=synthetic" in message
    assert (f"hmcbench data fetch {name}" in message) == (name in SOURCES)
    assert "\n" not in message


def test_a_wrong_place_is_an_error_and_not_a_synthetic_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match=r"--data hea-phases=.*no formed_phases.csv or .* in that folder"):
        load("hea-phases", path=str(tmp_path))
    monkeypatch.setenv("HMCBENCH_DATA_HEA_PHASES", str(tmp_path / "nowhere"))
    with pytest.raises(BadInput, match=r"HMCBENCH_DATA_HEA_PHASES=.*no such file"):
        load("hea-phases")
    with pytest.raises(BadInput, match="both a path and source=synthetic"):
        datasets.load("hea-phases", path=str(tmp_path), source="synthetic")
