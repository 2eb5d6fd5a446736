"""Recognition head: class and box of each pooled region (paper section 4.4, Table 4 layers 24-28)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from claran_core.model.layers.dropout import keep_mask

__all__ = ["RecognitionHead"]


class RecognitionHead(nn.Module):
    """Two fully connected layers with dropout, then scores and offsets for every class.

    Parameters
    ----------
    channels : int
        Channels of the pooled regions.
    pool_size : int
        Their width and height.
    fc_width : int
        Neurons of each hidden layer (4096; 256 and 64 in the smaller models of paper section 6.3).
    n_classes : int
        Classes without the background.
    dropout : float
        Probability that a hidden neuron is dropped in training (0.5 in the published code).
    normalise : bool
        Normalise the input of the hidden neurons of a region (Ba et al. 2016, arXiv:1607.06450).  Not in the
        published network: with few neurons its first steps leave most of them at zero for every region, where
        they have no gradient.
    """

    def __init__(
        self,
        channels: int,
        pool_size: int,
        *,
        fc_width: int = 4096,
        n_classes: int,
        dropout: float = 0.5,
        normalise: bool = False,
    ) -> None:
        super().__init__()
        self.n_classes, self.dropout = n_classes, dropout
        self.fc6 = nn.Linear(channels * pool_size**2, fc_width)
        self.fc7 = nn.Linear(fc_width, fc_width)
        self.norm6 = nn.LayerNorm(fc_width) if normalise else nn.Identity()
        self.norm7 = nn.LayerNorm(fc_width) if normalise else nn.Identity()
        self.score = nn.Linear(fc_width, n_classes + 1)
        self.offset = nn.Linear(fc_width, 4 * (n_classes + 1))

    def forward(self, regions: Tensor, generators: Sequence[torch.Generator] = ()) -> tuple[Tensor, Tensor]:
        """Return scores and box offsets of pooled regions.

        Parameters
        ----------
        regions : (R, C, size, size) float tensor
            Output of ST pooling.
        generators : sequence of torch.Generator
            One per subject, each for the same number of regions; they draw the dropout.  Without generators
            there is no dropout.

        Returns
        -------
        scores : (R, 1 + n_classes) float tensor
            Before the softmax; column 0 is background.
        offsets : (R, 1 + n_classes, 4) float tensor
            From the region to a source of each class, in units of ``RoiMatching.offset_std``.
        """
        hidden = self._drop(F.relu(self.norm6(self.fc6(regions.flatten(1)))), generators)
        hidden = self._drop(F.relu(self.norm7(self.fc7(hidden))), generators)
        # In single precision, whatever the precision of the layers.
        return self.score(hidden).float(), self.offset(hidden).float().reshape(-1, self.n_classes + 1, 4)

    def _drop(self, hidden: Tensor, generators: Sequence[torch.Generator]) -> Tensor:
        if not generators or not self.training or self.dropout == 0:
            return hidden
        counts = [len(hidden) // len(generators)] * len(generators)
        kept = keep_mask(counts, hidden.shape[1], self.dropout, generators).to(hidden.device)
        return hidden * kept / (1 - self.dropout)
