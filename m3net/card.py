"""The model card: who a set of weights is, what it was made from and what it may be used for."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Stated in every report and by `m3node model show`.

    trained   : False for a seeded initialisation; its results are no results
    threshold : probability at and above which a nodule is called malignant; None: no call is made
    meaning   : what the probability means, in one sentence for a radiologist
    """

    name: str
    version: str
    preset: str
    trained: bool
    threshold: float | None
    meaning: str
    preprocessing: str
    training_data: str
    licence: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    attribution: str = ""
