from __future__ import annotations

from pathlib import Path

import pytest

from hmcbench import DatasetSpec, ModelSpec, Param, SuiteSpec, Task
from hmcbench.interfaces import WarmStart
from hmcbench.testing.helpers import tiny_hierarchy

NET = ModelSpec(
    name="net", version="1", summary="A net", factory="m:net", params={"k": Param(1, low=0.0)}, extra="vision"
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Param(None), "Param(default=None)"),
        (Param(3, "neighbours", low=1), "Param(default=3, help='neighbours', low=1)"),
        (
            NET,
            "ModelSpec(name='net', version='1', summary='A net', factory='m:net',"
            " params={'k': Param(default=1, low=0.0)}, extra='vision')",
        ),
        (
            DatasetSpec(name="d", version="2", summary="", factory="m:d", task="regression"),
            "DatasetSpec(name='d', version='2', summary='', factory='m:d', task='regression')",
        ),
        (
            SuiteSpec(name="s", summary="A suite", source="p:s.toml"),
            "SuiteSpec(name='s', summary='A suite', source='p:s.toml')",
        ),
        (Task(kind="regression", targets=("y",)), "Task(kind='regression', targets=('y',))"),
        (WarmStart(Path("w"), Task()), f"WarmStart(folder={Path('w')!r}, task=Task())"),
    ],
)
def test_specs_print_what_differs_from_their_defaults(value: object, text: str) -> None:
    assert repr(value) == text


def test_a_task_prints_its_hierarchy() -> None:
    assert repr(Task(hierarchy=tiny_hierarchy())).startswith("Task(hierarchy=")
