"""Every timm network that a suite names can be built at the image size of its profile."""

from __future__ import annotations

import pytest
from hmcbench_timm.network import build

from hmcbench.interfaces import Task
from hmcbench.plan.suite import load_suite
from hmcbench.registry.registry import default_registry
from hmcbench.testing.helpers import tiny_hierarchy

SUITES = ("sem-failure", "x-sdd", "cifar100-h")


def networks() -> list[tuple[str, int, int]]:
    """(architecture, image size, channels) of every suite and profile, each once."""
    registry, networks = default_registry(), set()
    for suite in SUITES:
        for profile, content in load_suite(registry, suite).profiles.items():
            for reference in content.models:
                spec, params = registry.resolve("models", reference, profile)
                if spec.name == "timm":
                    size, channels = params["image_size"], params["in_chans"]
                    networks.add((str(params["architecture"]), int(str(size)), int(str(channels))))
    return sorted(networks)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize(("architecture", "size", "channels"), networks())
def test_it_can_be_built(architecture: str, size: int, channels: int) -> None:
    task = Task(hierarchy=tiny_hierarchy())
    net = build(
        task,
        head="levels",
        architecture=architecture,
        stem_stride="auto",
        image_size=size,
        in_chans=channels,
        pretrained=False,
    )
    assert sum(p.numel() for p in net.parameters()) > 100_000
