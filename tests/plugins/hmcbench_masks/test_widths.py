"""The widths of filters are numbers of pixels, or refused."""

from __future__ import annotations

import pytest
from hmcbench_masks.models.forest import PixelForest
from hmcbench_masks.models.widths import widths_of

from hmcbench.errors import BadInput
from hmcbench.registry.registry import default_registry, load_object


def test_widths_are_read() -> None:
    assert widths_of("1; 2.5;16") == (1.0, 2.5, 16.0)
    assert PixelForest().widths == (1.0, 2.0, 4.0, 8.0, 16.0)


@pytest.mark.parametrize("text", ["1;x", "", "1;;2", "0", "1;-2", "nan", "inf", "1e9"])
def test_other_texts_are_refused_before_a_run(text: str) -> None:
    spec, params = default_registry().resolve("models", "pixel-forest", widths=text)
    for use in (lambda: load_object(spec.check)(**params), lambda: PixelForest(widths=text)):
        with pytest.raises(BadInput, match="numbers above 0 up to 1000"):
            use()
