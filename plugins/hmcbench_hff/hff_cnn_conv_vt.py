"""HFF_CNN_Conv_VT: HFF_CNN_VT with a 1x1 convolution in place of the linear projection.

Han et al., Scientific Reports 15, 19904 (2025), "HFF_CNN_Conv_VT model".
"""

from __future__ import annotations

from torch import Tensor, nn

from hmcbench_hff.cnn_tokens import CNNTokens
from hmcbench_hff.tokens import as_tokens


class HFFCNNConvVT(CNNTokens):
    """Image -> logits of every level; backbone, Transformer and fusion are those of :class:`CNNTokens`.

    Its own: ``adapter``, a 1x1 convolution to ``dim`` channels as in HFFNet-2d; then the map is
    flattened to a row of tokens. Two things that the paper leaves to be noticed:

    * A 1x1 convolution *is* the same linear map at every position. Once every position is a token,
      this network computes what :class:`~hmcbench_hff.hff_cnn_vt.HFFCNNVT` computes, with as many
      parameters and, in PyTorch, initial weights of the same distribution (tested). What the two
      rows of its table 2 differ by (5 of 392 images at level 2) is then the spread of a training.
    * "HFF_CNN_Conv_VT model" adds a position encoding of as many entries as there are patches;
      "Results" explains its accuracy by a lack of position encoding. The first is taken.
    """

    def add_layer(self, channels: int, dim: int) -> None:
        self.adapter = nn.Conv2d(channels, dim, kernel_size=1)

    def tokens(self, maps: Tensor) -> Tensor:
        return as_tokens(self.adapter(maps))
