"""Names of rows: no two models of one board have one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hmcbench.registry.unique_names import unique_names

TEXTS = st.sampled_from("abcdef")
BOARDS = st.lists(st.dictionaries(TEXTS, TEXTS, max_size=5), max_size=4)


@given(BOARDS)
def test_names_of_a_board_differ_and_a_model_has_one_name_on_all(boards: list[dict[str, str]]) -> None:
    names = unique_names(boards)
    assert set(names) == {model for board in boards for model in board}
    for board in boards:
        assert len({names[model] for model in board}) == len(board)
    for model, name in names.items():
        assert name == model or {board[model] for board in boards if model in board} == {name}


@given(BOARDS)
def test_a_name_is_lost_only_where_it_is_in_doubt(boards: list[dict[str, str]]) -> None:
    """Where every model should have one name that is no other's, it has that name."""
    plain = [{model: f"row {model}" for model in board} for board in boards]
    assert unique_names(plain) == {model: f"row {model}" for board in boards for model in board}
