"""What is known of a nodule, wherever it lies."""

from collections.abc import Sequence
from typing import Protocol


class Label(Protocol):
    """A nodule's; `training.data.crops.CropLabel` is one."""

    @property
    def name(self) -> str:
        """Unique among the nodules; splits and predictions refer to it."""

    @property
    def patient_id(self) -> str:
        """Whose it is."""

    @property
    def scores(self) -> Sequence[int]:
        """Every reader's malignancy, 1 (highly unlikely) to 5 (highly suspicious)."""

    @property
    def malignant(self) -> bool:
        """The paper's label: `is_malignant`."""


def is_malignant(scores: Sequence[int]) -> bool:
    """The paper's label (Sec. 4.1): whether the mean score is above 3."""
    return sum(scores) > 3 * len(scores)
