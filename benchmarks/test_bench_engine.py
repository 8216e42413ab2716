"""The engine beside the obvious loop: ImageFolder, DataLoader, torchvision transforms, float32.

Both train the same network for the same epochs with the paper's augmentations, timed in one run, and
only the ratio is asserted. The engine's time includes decoding, which it does once; its crops come
from the decoded 64 px, those of the loop from the source.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hmcbench_sem.reader.images import ImageFile
from hmcbench_timm.network import build
from PIL import Image
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms as tv
from torchvision.datasets import ImageFolder

from hmcbench.data import featurize
from hmcbench.data.views import Rows
from hmcbench.execute.resources import cuda_devices
from hmcbench.hierarchy.hierarchy import Hierarchy
from hmcbench.interfaces import Dataset, FeaturizerSpec, Run, Task
from hmcbench.torchkit.data import Normaliser, PixelBatches
from hmcbench.torchkit.engine import EncodedImages, Trainer
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.recipes import Recipe

EPOCHS, SIDE, BATCH, THREADS = 9, 64, 32, 2  # as the quick profile
TASK = Task(hierarchy=Hierarchy.from_paths([("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")]))
SLACK = 0.7  # of the ratio asked for: a shared machine moves one by a third, and the figure is printed
LEAVES = ("a1", "a2", "b1", "b2")
GPU = pytest.mark.skipif(not cuda_devices(), reason="no CUDA device is visible")


@dataclass(frozen=True)
class Case:
    network: str
    width: int
    images: int
    least: float


CASES = [
    Case("lcnet_050", 1024, 128, 3.0),
    Case("resnet10t", 1024, 96, 1.5),
    Case("lcnet_050", 128, 256, 1.4),
    Case("resnet10t", 128, 96, 1.1),
]


def write_images(folder: Path, width: int, count: int) -> list[Path]:
    """Grey JPEGs, 4:3 when large, of rough texture; a folder per class."""
    rng = np.random.default_rng(0)
    height = width * 3 // 4 if width > 128 else width
    paths = []
    for i in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (height // 8, width // 8), dtype=np.uint8))
        grain = rng.normal(0, 12, (height, width))
        picture = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)) + grain
        path = folder / LEAVES[i % 4] / f"{i:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path, quality=90)
        paths.append(path)
    return paths


def network(name: str, side: int = SIDE, channels: int = 1) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(
        TASK,
        head="levels",
        architecture=name,
        stem_stride="keep",
        image_size=side,
        in_chans=channels,
        pretrained=False,
    )


def grey(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


def obvious_loop(name: str, folder: Path, epochs: int, device: str = "cpu", side: int = SIDE) -> float:
    """Seconds for ``epochs`` after a first batch."""
    steps = [
        tv.RandomResizedCrop(side, scale=(0.08, 1.0)),
        tv.RandomHorizontalFlip(),
        tv.RandomRotation(15),
        tv.ToTensor(),
        tv.Normalize(0.5, 0.25),
        tv.RandomErasing(0.5),
    ]
    loader = DataLoader(ImageFolder(folder, tv.Compose(steps), loader=grey), batch_size=BATCH, shuffle=True)
    net = network(name, side).to(device).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)

    def step(images: torch.Tensor, leaf: torch.Tensor) -> float:
        images, leaf = images.to(device), leaf.to(device)
        top, bottom = net(images)
        loss = F.cross_entropy(top, leaf // 2) + 2 * F.cross_entropy(bottom, leaf)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    step(*next(iter(loader)))
    start = time.perf_counter()
    for _ in range(epochs):
        for images, leaf in loader:
            step(images, leaf)
    return time.perf_counter() - start


def engine(
    name: str, paths: list[Path], epochs: int, folder: Path, device: str = "cpu"
) -> tuple[float, float]:
    """Seconds of decoding into a memory map, and of ``epochs`` after a first one."""
    start = time.perf_counter()
    view = decode(paths, folder)
    decoding = time.perf_counter() - start
    place = torch.device(device)
    leaf = torch.tensor([LEAVES.index(path.parent.name) for path in paths], device=place)
    pixels = PixelBatches(Rows(view), place)
    samples = EncodedImages(pixels, torch.stack([leaf // 2, leaf], 1))
    recipe = Recipe(epochs=epochs, batch_size=BATCH, augment="paper", loss="cross_entropy")

    def trainer() -> Trainer:
        net = network(name).to(place).to(memory_format=torch.channels_last)
        none = EncodedImages(PixelBatches(Rows(view, []), place), samples.targets[:0])
        run = Run(TASK, device=device, threads=THREADS)
        return Trainer(net, Layout(TASK, place), Normaliser("image", pixels), recipe, run, samples, none)

    trainer()._epoch(0)  # as the loop's first batch
    made = trainer()
    start = time.perf_counter()
    made.fit()
    return decoding, time.perf_counter() - start


def decode(paths: list[Path], folder: Path) -> Any:
    """As cells do it: blocks in threads into a new memory map, uint8 (N, SIDE, SIDE)."""
    spec = FeaturizerSpec(
        name="pixels", version="1", summary="pixels", factory="hmcbench_sem.pixels:Pixels", source="image"
    )
    step = featurize.Step(spec, {"size": SIDE, "channels": 1})
    dataset = Dataset(
        ids=[str(path) for path in paths],
        targets=np.zeros((len(paths), 6), bool),
        task=TASK,
        views={"image": [ImageFile(str(path)) for path in paths]},
        fingerprint=str(folder),
    )
    view, cached = featurize.compute_view(featurize.ViewPlan("pixels", "image", (step,)), dataset, THREADS)
    assert not cached
    return view


def compare(case: Case, folder: Path, device: str = "cpu") -> dict[str, float]:
    """Images per second of both, over all epochs."""
    paths = write_images(folder, case.width, case.images)
    loop = obvious_loop(case.network, folder, EPOCHS, device)
    decoding, training = engine(case.network, paths, EPOCHS, folder, device)
    seen = EPOCHS * case.images
    return {
        "loop": seen / loop,
        "engine": seen / (decoding + training),
        "training": seen / training,
        "decoding": case.images / decoding,
        "ratio": loop / (decoding + training),
    }


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, and a cache of its own."""
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.network}-{case.width}px")
def test_engine_against_the_obvious_loop(case: Case, benchmark: Any, tmp_path: Path) -> None:
    found = benchmark.pedantic(compare, args=(case, tmp_path / "images"), rounds=1)
    benchmark.extra_info.update({name: round(value, 2) for name, value in found.items()})
    print(case, {name: round(value, 2) for name, value in found.items()})
    assert found["ratio"] >= SLACK * case.least


@GPU
def test_engine_against_the_obvious_loop_on_a_gpu(benchmark: Any, tmp_path: Path) -> None:
    case = Case("resnet10t", 1024, 128, 3.0)
    found = benchmark.pedantic(compare, args=(case, tmp_path / "images", "cuda:0"), rounds=1)
    benchmark.extra_info.update(found)
    assert found["ratio"] >= SLACK * case.least
