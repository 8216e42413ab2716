"""The engine beside the obvious loop: ImageFolder, DataLoader, torchvision transforms, float32.

Both train the same network for the same epochs with the paper's augmentations. The engine's time includes
its one decoding; its crops come from the decoded 64 px, those of the loop from the source.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hmcbench_sem.reader.images import ImageFile
from PIL import Image
from rates import TASK, THREADS, timm_network
from torch.nn import functional as F
from torch.utils.data import DataLoader
from torchvision import transforms as tv
from torchvision.datasets import ImageFolder

from hmcbench.data import featurize
from hmcbench.data.views import Rows
from hmcbench.execute.resources import cuda_devices
from hmcbench.interfaces import Dataset, FeaturizerSpec, Run
from hmcbench.torchkit.data import Normaliser, PixelBatches
from hmcbench.torchkit.engine import EncodedImages, Trainer
from hmcbench.torchkit.layout import Layout
from hmcbench.torchkit.recipes import Recipe

EPOCHS, SIDE, BATCH = 9, 64, 32  # as the quick profile
SLACK = 0.7  # of the ratio asked for: ratios vary by a third on a shared machine
LEAVES = ("a1", "a2", "b1", "b2")
Ratio = Callable[..., None]
GPU = pytest.mark.skipif(not cuda_devices(), reason="no CUDA device is visible")


@dataclass(frozen=True)
class Case:
    network: str
    width: int
    images: int
    asked: float


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


def network(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return timm_network(name, SIDE)()


def grey(path: str) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


def obvious_loop(name: str, folder: Path, device: str) -> float:
    """Seconds of all epochs after a first batch."""
    steps = [
        tv.RandomResizedCrop(SIDE, scale=(0.08, 1.0)),
        tv.RandomHorizontalFlip(),
        tv.RandomRotation(15),
        tv.ToTensor(),
        tv.Normalize(0.5, 0.25),
        tv.RandomErasing(0.5),
    ]
    loader = DataLoader(ImageFolder(folder, tv.Compose(steps), loader=grey), batch_size=BATCH, shuffle=True)
    net = network(name).to(device).train()
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
    for _ in range(EPOCHS):
        for images, leaf in loader:
            step(images, leaf)
    return time.perf_counter() - start


def engine(name: str, paths: list[Path], folder: Path, device: str) -> tuple[float, float]:
    """Seconds of decoding into a memory map, and of all epochs after another one."""
    start = time.perf_counter()
    view = decode(paths, folder)
    decoding = time.perf_counter() - start
    place = torch.device(device)
    leaf = torch.tensor([LEAVES.index(path.parent.name) for path in paths], device=place)
    pixels = PixelBatches(Rows(view), place)
    samples = EncodedImages(pixels, torch.stack([leaf // 2, leaf], 1))
    recipe = Recipe(epochs=EPOCHS, batch_size=BATCH, augment="paper", loss="cross_entropy")

    def trainer() -> Trainer:
        net = network(name).to(place).to(memory_format=torch.channels_last)
        empty = EncodedImages(PixelBatches(Rows(view, []), place), samples.targets[:0])
        run = Run(TASK, device=device, threads=THREADS)
        return Trainer(net, Layout(TASK, place), Normaliser("image", pixels), recipe, run, samples, empty)

    trainer()._epoch(0)  # as the loop's first batch
    measured = trainer()
    start = time.perf_counter()
    measured.fit()
    return decoding, time.perf_counter() - start


def decode(paths: list[Path], folder: Path) -> Any:
    """As in cells: blocks in threads into a new memory map, uint8 (N, SIDE, SIDE)."""
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
    view = featurize.compute_view(featurize.ViewPlan("pixels", "image", (step,)), dataset, THREADS)
    assert view.computed
    return view.rows


def measure(case: Case, folder: Path, device: str) -> tuple[float, float]:
    """Seconds of the loop, and of the engine with its decoding."""
    paths = write_images(folder, case.width, case.images)
    loop = obvious_loop(case.network, folder, device)
    decoding, training = engine(case.network, paths, folder, device)
    print(f"{case}: loop {loop:.2f} s, decoding {decoding:.2f} s, training {training:.2f} s")
    return loop, decoding + training


def compare(case: Case, folder: Path, benchmark: Any, ratio: Ratio, device: str = "cpu") -> None:
    loop, ours = benchmark.pedantic(measure, args=(case, folder, device), rounds=1)
    work = f"{case.network}, {EPOCHS} epochs of {case.images} images of {case.width} px"
    peer = "ImageFolder, DataLoader, torchvision"
    ratio(work, peer, loop, ours, case.asked, slack=SLACK, device=device)


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two threads, and a new cache folder."""
    monkeypatch.setenv("HMCBENCH_CACHE", str(tmp_path / "cache"))
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.network}-{case.width}px")
def test_engine_against_the_obvious_loop(case: Case, benchmark: Any, tmp_path: Path, ratio: Ratio) -> None:
    compare(case, tmp_path / "images", benchmark, ratio)


@GPU
def test_engine_against_the_obvious_loop_on_a_gpu(benchmark: Any, tmp_path: Path, ratio: Ratio) -> None:
    compare(Case("resnet10t", 1024, 128, 3.0), tmp_path / "images", benchmark, ratio, "cuda:0")
