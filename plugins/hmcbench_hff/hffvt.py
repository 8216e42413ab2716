"""HFFVT: a Vision Transformer with hierarchical feature fusion, the paper's baseline.

Han et al., Scientific Reports 15, 19904 (2025), "Baseline of this work" and "HFFVT model".
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from hmcbench_hff.blocks import HierarchicalFusion
from hmcbench_hff.tokens import TokenEncoder, as_tokens


class HFFVT(nn.Module):
    """Image -> logits of every level.

    1. ``patches``: squares of fixed size, projected linearly ("HFFVT model"). A convolution whose
       stride is its kernel is that projection.
    2. ``encoder``: position embedding, class token, Transformer (:class:`TokenEncoder`).
    3. ``fusion``: one layer per level, concatenation, one classifier per level ("Hierarchical
       feature fusion module").

    Choices:

    * Size of a patch: not given; 16 px, as in the ViT (B/16) whose other sizes the paper uses.
    * Fusion: "Baseline of this work" ascribes cross-level attention to HFFVT, while "Hierarchical
      feature fusion module" describes pooling, a layer per level and concatenation, and "HFFVT
      model" names no other difference to HFFNet-2d than the missing CNN. Concatenation is taken, as
      only its description is complete, and as the variants then differ in the trunk only.
    * Initial weights: always random. The paper mentions pretrained weights for ResNet50 only.

    Args:
        level_sizes: outputs per level, top first.
        in_chans: channels of the image.
        grid: (h, w) of the patches at the usual image size.
        patch_size: side of a patch in pixels; remaining pixels at the right and below are not used.
        dim: width of a token.
        depth, heads, mlp_dim: of the Transformer; ``heads`` divides ``dim``.
        level_dim: width of each level's features; 0 means ``dim``.
        level_activation: ``gelu``, ``relu`` or ``none``, after each level's layer.
        dropout: rate in the Transformer and on the fused features while training.
    """

    def __init__(
        self,
        level_sizes: Sequence[int],
        *,
        in_chans: int = 3,
        grid: tuple[int, int] = (14, 14),
        patch_size: int = 16,
        dim: int = 768,
        depth: int = 12,
        heads: int = 12,
        mlp_dim: int = 3072,
        level_dim: int = 0,
        level_activation: str = "gelu",
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(in_chans, dim, kernel_size=patch_size, stride=patch_size)
        self.encoder = TokenEncoder(dim, grid, depth=depth, heads=heads, hidden=mlp_dim, dropout=dropout)
        self.fusion = HierarchicalFusion(
            2 * dim, level_sizes, level_dim=level_dim or dim, activation=level_activation, dropout=dropout
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """x: (B, in_chans, H, W) -> logits of every level [(B, n_1), (B, n_2), ...]."""
        maps = self.patches(x)  # (B, dim, h, w)
        prim_rep = self.encoder(as_tokens(maps), tuple(maps.shape[-2:]))  # (B, 2 dim)
        logits: list[Tensor] = self.fusion(prim_rep)
        return logits

    def parts(self) -> tuple[list[nn.Module], nn.Module]:
        """See :class:`hmcbench.torchkit.freezing.Partly`: the classifiers with their features; the layers."""
        transformer = self.encoder.transformer
        return [transformer.norm, self.fusion], transformer.layers
