"""Explains decisions of trained networks: a saliency map per level, and its faithfulness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hmcbench.apply.predict_files import Block
from hmcbench.errors import BadInput
from hmcbench.records.weights import Trained

if TYPE_CHECKING:
    import torch

    from hmcbench.torchkit.saliency import Curves, Probability

RANDOM_MAPS = 4
SEED = 0


@dataclass(frozen=True, eq=False)
class ExplainedLevel:
    """One level of one image.

    Attributes:
        level: from 1.
        name: the class that is explained; empty where the predicted path ends above.
        probability: of that class.
        saliency: float32 (H, W), 0 to 1; all 0 without evidence for the class.
        map, random: faithfulness of the map and of random maps; None and empty if not measured.
        similarity: rank correlation with the map of the same network with random weights.
    """

    level: int
    name: str
    probability: float = 0.0
    saliency: np.ndarray | None = None
    map: Curves | None = None
    random: Sequence[Curves] = ()
    similarity: float | None = None


@dataclass(frozen=True, eq=False)
class Explanation:
    """One image: the picture that the network gets (uint8), its decisions, and its levels."""

    path: str
    picture: np.ndarray
    coherent: tuple[str, ...]
    raw: tuple[str, ...]
    levels: Sequence[ExplainedLevel]


class Explainer:
    """Explains the decisions of one trained network.

    Where a network gets tiles of an image, the maps of the tiles are joined before they are scaled,
    so that the evidence is compared over the whole image.

    Args:
        trained: a model built on :mod:`hmcbench.torchkit`.
        levels: the levels to explain; all if empty.
        faithful: whether to measure each map (about 200 more forward passes per level).

    Raises:
        BadInput: a model of another kind or of pixels, or an unknown level.
        NotApplicable: from :meth:`explain`, for a network that keeps no positions.
    """

    def __init__(self, trained: Trained, levels: Sequence[int] = (), *, faithful: bool = True) -> None:
        from hmcbench.torchkit.model import TorchModel

        if trained.spec.unit == "pixel":
            raise BadInput(
                f"{trained.record.label} labels every pixel: its label maps say where a class is",
                hint="hmcbench predict RUN IMAGES --maps FOLDER",
            )
        if trained.task.hierarchy is None:
            what = f"{trained.record.label} predicts targets, and a map is the evidence for a class"
            raise BadInput(what, allowed="a network of classes", hint="hmcbench predict RUN IMAGES")
        if not isinstance(trained.model, TorchModel):
            raise BadInput(
                f"{trained.spec.name} is not a network built on torchkit",
                allowed="networks of images, such as timm or hffnet-2d",
            )
        depth = trained.task.hierarchy.depth
        wrong = [k for k in levels if not 1 <= k <= depth]
        if wrong:
            raise BadInput(f"there is no level {wrong[0]}", allowed=f"levels 1 to {depth}")
        self.trained, self.model, self.faithful = trained, trained.model, faithful
        self.hierarchy = trained.task.hierarchy
        self.levels = sorted(set(levels)) or list(range(1, depth + 1))
        self._cams: list[Any] = []

    def explain(self, block: Block) -> Iterator[Explanation]:
        """The explanations of a block's images."""
        if not block.paths:
            return
        from hmcbench.torchkit.data import join_picture

        for i, path in enumerate(block.paths):
            tiles, side = self._tiles(block, i)
            prepared = self.model.prepare(tiles)
            scores, decided = block.scores.values[i], block.coherent[i]
            levels = [self._level(prepared, side, k, scores, decided) for k in self.levels]
            coherent, raw = (self.hierarchy.decode(sets[i]) for sets in (block.coherent, block.raw))
            yield Explanation(path, join_picture(tiles, side), coherent, raw, levels)

    def maps_of(self, block: Block, i: int, k: int, column: int) -> list[np.ndarray]:
        """Saliency (H, W) of one class of level k in image i: of the network, and with random weights."""
        import torch

        from hmcbench.torchkit.data import join_tiles
        from hmcbench.torchkit.saliency import shares

        pictures, side = self._tiles(block, i)
        tiles = self.model.prepare(pictures)
        place = column - int(self.hierarchy.level_classes(k)[0])
        columns = torch.full((len(tiles),), place, device=tiles.device)
        maps = (cam.evidence(tiles, k, columns) for cam in self._grad_cams(tiles[:1]))
        return [shares(join_tiles(evidence, side))[0].cpu().numpy() for evidence in maps]

    def faithfulness(self, block: Block, i: int, column: int, maps: Sequence[np.ndarray]) -> list[Curves]:
        """Deletion and insertion of maps (H, W) that are said to show a class in image i."""
        import torch

        from hmcbench.torchkit.data import join_tiles
        from hmcbench.torchkit.saliency import curves

        pictures, side = self._tiles(block, i)
        image, probability = (
            join_tiles(self.model.prepare(pictures), side)[0],
            self._probability(side, column),
        )
        return [curves(probability, image, torch.as_tensor(m, device=image.device)) for m in maps]

    def _tiles(self, block: Block, i: int) -> tuple[np.ndarray, int]:
        """The parts of image i that the network gets, uint8 (side**2, H, W[, 3]), and the parts per side."""
        from hmcbench.torchkit.data import tiles_per_side

        pictures = block.views[self.model.view]
        whole = pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[-1] == 3)
        tiles = pictures[i : i + 1] if whole else pictures[i]
        return tiles, tiles_per_side(len(tiles))

    def _level(
        self, tiles: torch.Tensor, side: int, k: int, scores: np.ndarray, decisions: np.ndarray
    ) -> ExplainedLevel:
        """The most probable of the decided classes of level k; ``tiles`` (side**2, C, H, W) of one image."""
        import torch

        from hmcbench.torchkit.data import join_tiles
        from hmcbench.torchkit.saliency import GradCam, curves, random_maps, shares, similarity

        columns = self.hierarchy.level_classes(k)
        decided = columns[decisions[columns]]
        if not len(decided):
            return ExplainedLevel(k, "")
        label = int(decided[scores[decided].argmax()])
        column = torch.tensor([label - int(columns[0])], device=tiles.device)
        cam, random_cam = self._grad_cams(tiles[:1])
        probability = self._probability(side, label)

        def saliency(grad_cam: GradCam) -> torch.Tensor:
            return shares(join_tiles(grad_cam.evidence(tiles, k, column.expand(len(tiles))), side))[0]

        heat = saliency(cam)
        level = ExplainedLevel(k, self.hierarchy.classes[label], float(scores[label]), heat.cpu().numpy())
        if not self.faithful:
            return level

        image, size = join_tiles(tiles, side)[0], (heat.shape[0], heat.shape[1])
        noise = random_maps(RANDOM_MAPS, cam.grid.side * side, size, SEED).to(heat.device)
        return replace(
            level,
            map=curves(probability, image, heat),
            random=[curves(probability, image, noise_map) for noise_map in noise],
            similarity=similarity(heat, saliency(random_cam)),
        )

    def _probability(self, side: int, column: int) -> Probability:
        """Of a class, for images of side**2 tiles: the mean over the tiles, as for scores."""
        from hmcbench.torchkit.data import cut_tiles

        def probability(images: torch.Tensor) -> torch.Tensor:
            of_tiles = self.model.probabilities(cut_tiles(images, side))[:, column]
            return of_tiles.reshape(len(images), -1).mean(1)

        return probability

    def _grad_cams(self, image: torch.Tensor) -> Any:
        """Grad-CAM of the network, and of a copy with random weights, at the same layer."""
        from hmcbench.torchkit.saliency import GradCam, randomised

        if not self._cams:
            module, layout = self.model.module, self.model.layout
            self._cams = [GradCam(m, layout, image) for m in (module, randomised(module, SEED))]
        return self._cams
