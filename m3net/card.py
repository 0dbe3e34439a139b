"""The model card: who a set of weights is, what it was made from and what it may be used for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """Stated in every report and by `m3node model show`; lies as JSON beside the weights.

    trained        : False for a seeded initialisation; its results are no results
    threshold      : probability at which the model would part malignant from benign; None: no call
    meaning        : what the probability means, in one sentence for a radiologist
    in_short       : the same in a few words that follow a probability; may be empty
    preprocessing  : in words; the settings themselves are in `config`
    panel          : per way in which a nodule is told (`m3net.told`) bands of the probability,
                     ascending: from where each goes on, the range of panels' mean ratings in it,
                     and of how many nodules
    reliability    : of the same, tenths of the probability: what was said on average, which share
                     of the nodules readers rated above 3, and of how many
    temperature    : the logits are divided by it before the softmax; fitted, else 1
    calibration    : instead, for nodules told so (`m3net.told`): slope and shift of the log odds
    config         : `M3NetConfig.to_json()` of the network that the weights belong to
    weights_sha256 : hex, of the safetensors file
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
    panel: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    reliability: Mapping[str, Sequence[Mapping[str, float]]] = field(default_factory=dict)
    in_short: str = ""
    attribution: str = ""
    temperature: float = 1.0
    calibration: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    weights_sha256: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain dicts, lists, strings and numbers."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "ModelCard":
        """The card that `to_json` was called on; a missing or unknown key is a ValueError."""
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(data) - known):
            raise ValueError(f"a model card has no {', '.join(unknown)}")
        if not isinstance(data.get("panel", {}), Mapping):
            raise ValueError(
                "its panel is a list, as before ranges were told for each way of telling a nodule; "
                "take the panel out of the card, or make it anew with m3train default-weights"
            )
        try:
            return cls(**data)
        except TypeError as error:
            raise ValueError(f"the model card is incomplete: {error}") from error
