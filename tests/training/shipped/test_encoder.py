"""The encoder of the expert on slices is the one that was published, or the one that ships."""

from pathlib import Path

import pytest
import torch

from m3net.appearance import Appearance
from training.data.errors import SettingsUnusable
from training.shipped.encoder import encoder_of


def test_without_a_file_it_is_the_one_that_ships() -> None:
    encoder = encoder_of(None)
    assert [tuple(p.shape) for p in encoder.buffers()] == [
        tuple(p.shape) for p in Appearance(1).encoder.buffers()
    ]
    assert float(encoder.get_buffer("stem.weight").abs().sum()) > 1.0


def test_another_file_is_refused_by_its_digest(tmp_path: Path) -> None:
    other = tmp_path / "efficientnet-lite0-57934424.pth"
    torch.save({"_conv_stem.weight": torch.zeros(32, 3, 3, 3)}, other)
    with pytest.raises(SettingsUnusable, match=r"is not efficientnet-lite0-\w+\.pth"):
        encoder_of(other)
