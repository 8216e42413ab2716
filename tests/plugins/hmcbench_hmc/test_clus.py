"""What ``benchmarks/clus.py`` reads of a run of Clus; no run is made here."""

from __future__ import annotations

from pathlib import Path

import clus
import numpy as np
import pytest
from hmcbench_hmc.classic.dataset import classic

PREDICTIONS = """@RELATION 'clus-predictions'

@ATTRIBUTE class-a string
@ATTRIBUTE class-a-a {1,0}
@ATTRIBUTE class-a-b {1,0}
@ATTRIBUTE Original-p-a numeric
@ATTRIBUTE Original-p-b numeric
@ATTRIBUTE Original-models string
@DATA
"a,b",1,0,0.75,0.125,"1"
a,1,1,0.5,0.25,"2"
"""
OUTPUT = "Induction Time: 2.5 sec\nTesting error\n" + "".join(f"{name}: 0.5\n" for name in clus.PRINTED)


def written(folder: Path, predictions: str = PREDICTIONS) -> Path:
    (folder / "clus.log").write_text("Clus v2.12.8")
    (folder / "clus.out").write_text(OUTPUT)
    (folder / "test.arff").write_text("@relation r\n@DATA\n% two rows\n1,a@b\n2,a\n")
    (folder / "clus.test.pred.arff").write_text(predictions)
    return folder


def test_predictions_are_read(tmp_path: Path) -> None:
    classes, truth, scores = clus.read_predictions(written(tmp_path) / "clus.test.pred.arff")
    assert classes == ["a", "b"]
    assert truth.tolist() == [[True, False], [True, True]]
    np.testing.assert_array_equal(scores, [[0.75, 0.125], [0.5, 0.25]])


@pytest.mark.parametrize("length", [0, 40, PREDICTIONS.index("@DATA"), len(PREDICTIONS) - 8])
def test_a_file_that_ends_in_the_middle_is_refused(tmp_path: Path, length: int) -> None:
    with pytest.raises(RuntimeError, match="ends in the middle"):
        clus.read_predictions(written(tmp_path, PREDICTIONS[:length]) / "clus.test.pred.arff")


def test_only_a_complete_run_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clus, "write_classic", lambda *_: "None")
    monkeypatch.setattr(clus, "run_clus", lambda *_: "again")
    monkeypatch.setattr(clus, "classic", lambda **_: classic(set="synthetic-tree"))

    def repeated() -> bool:
        return clus.classic_run(tmp_path, "any", "", 0)[0] == "again"

    assert repeated()
    written(tmp_path)
    assert not repeated()
    for cut in (PREDICTIONS[:-8], PREDICTIONS[: PREDICTIONS.index("a,1,1")], PREDICTIONS[:40], ""):
        assert repeated() if written(tmp_path, cut) else None
    written(tmp_path)
    (tmp_path / "clus.log").unlink()
    assert repeated()
