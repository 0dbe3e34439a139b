"""What a nodule's readers are made into for the loss; evaluation keeps to the paper's label.

hard     the paper's label: 1 if the mean malignancy is above 3 (Sec. 4.1)
soft     the readers' votes: above 3 is one, 3 is half a vote for malignant
panel    the chance that another panel's mean would be above 3, of this panel's mean
ordinal  of the readers, the shares above 1, 2, 3 and 4: each step of the scale is learnt, with
         the decision margin read on a proportional-odds scale (McCullagh 1980)
"""

from collections.abc import Sequence
from enum import StrEnum
from math import exp

import torch
from torch import Tensor
from torch.nn import functional

from training.data.labels import is_malignant

CUTPOINTS = (-2.9, -1.6, 0.0, 1.0)
"""How much margin (logit of malignant minus that of benign) a score above 1, 2, 3, 4 needs.

Above 3 is the decision itself, so 0; the others lie from it as the log-odds of all 6,789 scores of
the 2,625 nodules do, of which 85, 62, 24 and 10 % are above 1, 2, 3 and 4.
"""

PANEL_MIDDLE = 3.1
PANEL_SPREAD = 0.5
"""Another panel's mean is above 3 with the chance sigmoid((mean - middle) / spread)."""


class TargetKind(StrEnum):
    """See the module."""

    HARD = "hard"
    SOFT = "soft"
    PANEL = "panel"
    ORDINAL = "ordinal"


def target_of(scores: Sequence[int], kind: TargetKind) -> Tensor:
    """() int64 for `hard`, () float for `soft` and `panel`, (4,) float for `ordinal`."""
    match kind:
        case TargetKind.HARD:
            return torch.tensor(int(is_malignant(scores)))
        case TargetKind.SOFT:
            votes = [(score > 3) + 0.5 * (score == 3) for score in scores]
            return torch.tensor(sum(votes) / len(votes))
        case TargetKind.PANEL:
            mean = sum(scores) / len(scores)
            return torch.tensor(1 / (1 + exp((PANEL_MIDDLE - mean) / PANEL_SPREAD)))
        case TargetKind.ORDINAL:
            shares = [sum(s > step for s in scores) / len(scores) for step in (1, 2, 3, 4)]
            return torch.tensor(shares)


def ordinal_cross_entropy(logits: Tensor, shares: Tensor) -> Tensor:
    """The mean binary cross-entropy of the four steps.

    logits : (B, 2), benign first
    shares : (B, 4), of the readers above 1, 2, 3, 4
    """
    margin = (logits[:, 1] - logits[:, 0]).float()[:, None]  # (B, 1)
    steps = margin - margin.new_tensor(CUTPOINTS)  # (B, 4)
    return functional.binary_cross_entropy_with_logits(steps, shares)
