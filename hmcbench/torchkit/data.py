"""Batches of pixels for the network: kept on the device if they fit, else read batch by batch.

Images may be cut into side * side square tiles, which the network sees one by one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from math import isqrt

import numpy as np
import torch

from hmcbench.data.views import Rows
from hmcbench.errors import BadInput

KEEP_ON_CPU = 512 * 2**20
"""Bytes of pixels that are copied out of the memory map into RAM."""
KEEP_ON_GPU = 0.4
"""Share of the free device memory that pixels may take."""
BLOCK = 512
"""Images per block in a pass over all of them."""


def room_on(device: torch.device) -> int:
    """Bytes of pixels that may stay on the device."""
    if device.type == "cuda":
        return int(KEEP_ON_GPU * torch.cuda.mem_get_info(device)[0])
    return KEEP_ON_CPU


def untile(rows: Rows) -> tuple[Rows, int]:
    """Images cut into T tiles, (N, T, H, W) or (N, T, H, W, 3), as N T images; and T.

    Images without tiles, (N, H, W) or (N, H, W, 3), are returned unchanged, with T = 1.
    """
    _, *image = rows.shape
    if len(image) == 2 or (len(image) == 3 and image[2] == 3):
        return rows, 1
    tiles = image[0]
    indices = rows.indices[:, None] * tiles + np.arange(tiles)
    return Rows(rows.base.reshape(-1, *image[1:]), indices.ravel()), tiles


class PixelBatches:
    """Selected rows of a view of images, as uint8 batches on a device.

    Args:
        rows: a :class:`hmcbench.data.views.Rows` over uint8 (N, H, W) or (N, H, W, 3), often a memory map.
        device: where batches are needed.
        keep: whether all pixels may stay on the device (training data, used again every epoch).

    Attributes:
        shape: (channels, H, W).
    """

    def __init__(self, rows: Rows, device: torch.device, *, keep: bool = True) -> None:
        self.rows, self.device = rows, device
        n, *image = rows.shape
        self.shape = (image[2] if len(image) == 3 else 1, image[0], image[1])
        self.kept = self._load(rows[:]) if keep and n * math.prod(image) <= room_on(device) else None

    def __len__(self) -> int:
        return len(self.rows)

    def _load(self, block: np.ndarray) -> torch.Tensor:
        """(n, H, W[, 3]) -> uint8 tensor (n, channels, H, W) on the device, channels last in memory."""
        pixels = torch.from_numpy(np.ascontiguousarray(block))
        if self.device.type == "cuda":
            pixels = pixels.pin_memory().to(self.device, non_blocking=True)
        return pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)

    def batches(self, chunks: Sequence[torch.Tensor]) -> Iterator[torch.Tensor]:
        """``batch`` of every chunk (int64, on the CPU); the next is read while one is in use."""
        if self.kept is not None:
            yield from (self.batch(chunk.to(self.device, non_blocking=True)) for chunk in chunks)
            return
        with ThreadPoolExecutor(1, "pixels") as pool:
            pending = pool.submit(self.batch, chunks[0])
            for chunk in (*chunks[1:], None):
                batch = pending.result()
                if chunk is not None:
                    pending = pool.submit(self.batch, chunk)
                yield batch

    def batch(self, index: torch.Tensor) -> torch.Tensor:
        """Rows ``index`` (int64, on the device) as uint8 (B, channels, H, W)."""
        if self.kept is not None:
            return self.kept[index]
        return self._load(self.rows[index.cpu().numpy()])

    def blocks(self, size: int = BLOCK) -> Iterator[torch.Tensor]:
        """All rows in order, as uint8 (<= size, channels, H, W)."""
        for start in range(0, len(self), size):
            if self.kept is not None:
                yield self.kept[start : start + size]
            else:
                yield self._load(self.rows[start : start + size])


class Normaliser:
    """uint8 pixels -> float32 of mean about 0 and deviation about 1.

    Args:
        kind: ``image``: every image by its own mean and deviation over all its pixels and channels
            (brightness and contrast of the microscope say nothing about the class); ``dataset``:
            every channel by the mean and deviation of the training pixels.
        training: the pixels to fit on.
    """

    def __init__(self, kind: str, training: PixelBatches) -> None:
        self.kind = kind
        self.mean: list[float] = []
        self.std: list[float] = []
        if kind == "dataset":
            self._fit(training)

    @classmethod
    def of(cls, kind: str, mean: list[float], std: list[float]) -> Normaliser:
        """A normaliser with statistics that were fitted before."""
        normaliser = cls.__new__(cls)
        normaliser.kind, normaliser.mean, normaliser.std = kind, list(mean), list(std)
        return normaliser

    def _fit(self, training: PixelBatches) -> None:
        counts = torch.zeros(training.shape[0], 256, dtype=torch.int64)  # exact in any order of blocks
        for block in training.blocks():
            for channel in range(training.shape[0]):
                counts[channel] += torch.bincount(block[:, channel].flatten().int(), minlength=256).cpu()
        share = counts.double() / counts.sum(1, keepdim=True)
        grey = torch.arange(256, dtype=torch.float64)
        mean = share @ grey
        variance = share @ grey**2 - mean**2
        self.mean = mean.tolist()
        self.std = variance.clamp_min(1.0).sqrt().tolist()

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Grey values 0..255 (B, C, H, W), any dtype -> float32, normalised."""
        x = x.float()
        if self.kind == "image":
            variance, mean = torch.var_mean(x, dim=(1, 2, 3), keepdim=True, correction=0)
            return (x - mean) * variance.clamp_min(1.0).rsqrt()
        mean = torch.tensor(self.mean, device=x.device).view(1, -1, 1, 1)
        std = torch.tensor(self.std, device=x.device).view(1, -1, 1, 1)
        return (x - mean) / std


def tiles_per_side(tiles: int) -> int:
    """The side of a square of T tiles; raises BadInput where T is no square number.

    >>> tiles_per_side(9)
    3
    """
    side = isqrt(tiles)
    if side * side != tiles:
        raise BadInput(f"{tiles} tiles make no square", allowed="1, 4, 9, 16, ...")
    return side


def join_tiles(tiles: torch.Tensor, side: int) -> torch.Tensor:
    """(B * side**2, ..., H, W), row by row -> (B, ..., side * H, side * W)."""
    if side == 1:
        return tiles
    *inner, height, width = tiles.shape[1:]
    grid = tiles.reshape(-1, side, side, *inner, height, width)
    placed = grid.movedim((1, 2), (-4, -2))  # (B, ..., side, H, side, W)
    return placed.reshape(len(grid), *inner, side * height, side * width)


def cut_tiles(images: torch.Tensor, side: int) -> torch.Tensor:
    """The inverse: (B, ..., side * H, side * W) -> (B * side**2, ..., H, W)."""
    if side == 1:
        return images
    *inner, height, width = images.shape[1:]
    grid = images.reshape(len(images), *inner, side, height // side, side, width // side)
    return grid.movedim((-4, -2), (1, 2)).reshape(-1, *inner, height // side, width // side)


def join_picture(tiles: np.ndarray, side: int) -> np.ndarray:
    """(side**2, H, W[, 3]) as files hold them, row by row -> (side * H, side * W[, 3])."""
    height, width, *colour = tiles.shape[1:]
    grid = tiles.reshape(side, side, height, width, *colour).swapaxes(1, 2)
    return grid.reshape(side * height, side * width, *colour)
