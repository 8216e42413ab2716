"""HFF_CNN_VT: a CNN whose features become the tokens of a one-dimensional Transformer.

Han et al., Scientific Reports 15, 19904 (2025), "HFF_CNN_VT model".
"""

from __future__ import annotations

from torch import Tensor, nn

from hmcbench_hff.cnn_tokens import CNNTokens
from hmcbench_hff.tokens import as_tokens


class HFFCNNVT(CNNTokens):
    """Image -> logits of every level; backbone, Transformer and fusion are those of :class:`CNNTokens`.

    Its own: the maps ("first four convolutional blocks") are flattened to a row of positions, and
    ``projection`` maps each linearly to a token. The paper's expectation that this saves parameters
    against convolutions does not hold for the 1x1 convolution of
    :class:`~hmcbench_hff.hff_cnn_conv_vt.HFFCNNConvVT`: see there.
    """

    def add_layer(self, channels: int, dim: int) -> None:
        self.projection = nn.Linear(channels, dim)

    def tokens(self, maps: Tensor) -> Tensor:
        tokens: Tensor = self.projection(as_tokens(maps))
        return tokens
