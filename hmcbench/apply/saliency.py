"""Explains decisions of trained networks: which class at each level, seen where, and how faithfully."""

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

    from hmcbench.torchkit.saliency import Curves

RANDOM_MAPS = 4
SEED = 0


@dataclass(frozen=True, eq=False)
class Seen:
    """One level of one image.

    Attributes:
        level: from 1.
        name: the class that is explained; empty where the predicted path has ended above.
        probability: of that class.
        saliency: float32 (H, W), 0 to 1; all 0 where nothing speaks for the class.
        map, random: faithfulness of the map, and the mean of random ones; None if not asked for.
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
    """One image: what was shown to the network (uint8), the decision, and its levels."""

    path: str
    picture: np.ndarray
    coherent: tuple[str, ...]
    raw: tuple[str, ...]
    levels: Sequence[Seen]


class Explainer:
    """Explains the decisions of one trained network.

    Of a network that sees tiles of an image, the tiles' maps are put together: what speaks for the
    class is compared over the whole image.

    Args:
        trained: a model built on :mod:`hmcbench.torchkit`.
        levels: the levels to explain; all if empty.
        faithful: whether to measure each map too (some 200 more forward passes per level).

    Raises:
        BadInput: a model of another kind, or a level that there is not.
        NotApplicable: later, for a network that keeps no positions.
    """

    def __init__(self, trained: Trained, levels: Sequence[int] = (), *, faithful: bool = True) -> None:
        from hmcbench.torchkit.model import TorchModel

        if not isinstance(trained.model, TorchModel) or trained.task.hierarchy is None:
            raise BadInput(f"{trained.spec.name} is no network whose layers can be looked at")
        depth = trained.task.hierarchy.depth
        wrong = [k for k in levels if not 1 <= k <= depth]
        if wrong:
            raise BadInput(f"there is no level {wrong[0]}", allowed=f"levels 1 to {depth}")
        self.trained, self.model, self.faithful = trained, trained.model, faithful
        self.hierarchy = trained.task.hierarchy
        self.levels = sorted(set(levels)) or list(range(1, depth + 1))
        self._cams: list[Any] = []

    def explain(self, block: Block) -> Iterator[Explanation]:
        """Explanations of the images of a block, one after the other."""
        if not block.paths:
            return
        from hmcbench.torchkit.data import join_picture, tiles_per_side

        pictures = block.views[self.model.view]
        whole = pictures.ndim == 3 or (pictures.ndim == 4 and pictures.shape[-1] == 3)
        for i, path in enumerate(block.paths):
            tiles = pictures[i : i + 1] if whole else pictures[i]
            side = tiles_per_side(len(tiles))
            scores, coherent = block.scores.values[i], block.coherent[i]
            prepared = self.model.prepare(tiles)
            levels = [self._level(prepared, side, k, scores, coherent) for k in self.levels]
            said = [self.hierarchy.decode(sets[i]) for sets in (block.coherent, block.raw)]
            yield Explanation(path, join_picture(tiles, side), said[0], said[1], levels)

    def _level(
        self, tiles: torch.Tensor, side: int, k: int, scores: np.ndarray, coherent: np.ndarray
    ) -> Seen:
        """The most probable of the decided classes of level k; ``tiles`` (side**2, C, H, W) of one image."""
        import torch

        from hmcbench.torchkit.data import cut_tiles, join_tiles
        from hmcbench.torchkit.saliency import GradCam, curves, random_maps, shares, similarity

        columns = self.hierarchy.level_classes(k)
        decided = columns[coherent[columns]]
        if not len(decided):
            return Seen(k, "")
        chosen = int(decided[scores[decided].argmax()])
        place = torch.tensor([chosen - int(columns[0])], device=tiles.device)
        cam, other = self._grad_cams(tiles[:1])

        def saliency(looked: GradCam) -> torch.Tensor:
            return shares(join_tiles(looked.evidence(tiles, k, place.expand(len(tiles))), side))[0]

        found = saliency(cam)
        seen = Seen(k, self.hierarchy.classes[chosen], float(scores[chosen]), found.cpu().numpy())
        if not self.faithful:
            return seen

        def probability(images: torch.Tensor) -> torch.Tensor:
            """As scores are made: the mean over an image's tiles."""
            return (
                self.model.probabilities(cut_tiles(images, side))[:, chosen].reshape(len(images), -1).mean(1)
            )

        image, size = join_tiles(tiles, side)[0], (found.shape[0], found.shape[1])
        noise = random_maps(RANDOM_MAPS, cam.grid.side * side, size, SEED).to(found.device)
        return replace(
            seen,
            map=curves(probability, image, found),
            random=[curves(probability, image, one) for one in noise],
            similarity=similarity(found, saliency(other)),
        )

    def _grad_cams(self, image: torch.Tensor) -> Any:
        """Of the network, and of a copy with random weights that looks at the same layer."""
        from hmcbench.torchkit.saliency import GradCam, randomised

        if not self._cams:
            module, layout = self.model.module, self.model.layout
            self._cams = [GradCam(m, layout, image) for m in (module, randomised(module, SEED))]
        return self._cams
