"""What a probability rests on: how much on the images, how much on measurements, and on which.

A heat map shows what the networks saw.  As much of the decision on an outlined nodule is an
expert's that sees no image (`m3net.expert`), as much again one's that sees slices by an encoder of
its own (`m3net.appearance`), and the networks are told some of the numbers too: of that no map says
anything, so it is said in numbers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from m3net.calibration import Calibration
from m3net.description import NAMES
from m3net.description.families import FAMILIES
from m3net.expert import KernelExpert
from m3net.network import Committee, Network, Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One family of measurements, and by how much it moved the measurements' own estimate.

    words, told_as : such as "size" and "volume"
    value, usual   : of this nodule, and the median of the training nodules; in `unit`
    effect         : its Shapley value in p (`KernelExpert.shares`); no cause
    """

    words: str
    told_as: str
    unit: str
    decimals: int
    value: float
    usual: float
    effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a probability rests on; the log odds of all parts and `shift` add up to its own.

    images       : the networks with every number at its training mean, at the weight that they have
    appearance   : the part of the expert on slices; None where there is none, or it abstains
    measurements : what the numbers add to that: the expert's part, and what they changed of the
                   networks'
    shift        : what calibration adds for every nodule that was told so
    measured     : what the expert's estimate rests on, the strongest first; none where it abstains
    estimate     : the expert's own p in [0, 1]; of_usual: of a nodule with all numbers usual
    """

    images: float
    measurements: float
    appearance: float | None = None
    shift: float = 0.0
    measured: tuple[Measured, ...] = ()
    estimate: float | None = None
    of_usual: float | None = None


def evidence_of(
    network: Network, outputs: Outputs, description: Tensor | None, *, calibration: Calibration
) -> Evidence | None:
    """The evidence for one nodule; None of a network that takes no numbers.

    outputs     : of all its mirrorings, (M, 2) each
    description : (M, N) or None, the same for each
    calibration : of margins of nodules told as this one
    """
    if outputs.undescribed is None:
        return None
    expert = network.expert if isinstance(network, Committee) else None
    numbers = None if description is None else description[:1, : len(NAMES)].float()  # (1, N)
    asked = expert is not None and numbers is not None and not bool(numbers.isnan().any())
    looks = _looks(network, description)
    # The margins of experts and networks are averaged (`m3net.expert.with_experts`).
    share = calibration.slope / (1 + asked + (looks is not None))
    images = _margin(outputs.undescribed) * share
    appearance = None if looks is None else looks * share
    measurements = calibration.slope * _margin(outputs.logits) - images - (appearance or 0.0)
    found = Evidence(
        images=images,
        appearance=appearance,
        measurements=measurements,
        shift=calibration.shift,
    )
    if not asked or expert is None or numbers is None:
        return found
    return replace(
        found,
        measured=_measured(expert, numbers),
        estimate=_capped(expert.estimate(numbers)),
        of_usual=_capped(expert.estimate(expert.medians[None])),
    )


def _looks(network: Network, description: Tensor | None) -> float | None:
    """The margin of the expert on slices; None where there is none, or it abstains."""
    expert = network.appearance if isinstance(network, Committee) else None
    if expert is None or description is None or description.shape[1] == len(NAMES):
        return None
    margin = float(expert(description[:1, len(NAMES) :].float()))
    return None if math.isnan(margin) else margin


def _measured(expert: KernelExpert, numbers: Tensor) -> tuple[Measured, ...]:
    shares = expert.shares(numbers, [family.indices for family in FAMILIES])[0].tolist()
    own: Sequence[float] = numbers[0].tolist()
    usual: Sequence[float] = expert.medians.tolist()
    found = [
        Measured(
            words=family.words,
            told_as=family.told_as,
            unit=family.unit,
            decimals=family.decimals,
            value=family.value(own),
            usual=family.value(usual),
            effect=effect,
        )
        for family, effect in zip(FAMILIES, shares, strict=True)
    ]
    return tuple(sorted(found, key=lambda each: -abs(each.effect)))


def _margin(logits: Tensor) -> float:
    """Logit of p(malignant), the mean over mirrorings (M, 2)."""
    mean = logits.float().mean(0)
    return float(mean[1] - mean[0])


def _capped(estimate: Tensor) -> float:
    return min(max(float(estimate), 0.0), 1.0)
