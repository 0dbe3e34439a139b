"""Model files: where the weights lie, the card beside them, and the fingerprint of both.

Weights are a safetensors file; beside it lies the model card (.json) with the file's sha256.
`"default"` is the set in `m3net/default_weights/`; `"untrained"`, and the default where none lies
there, is a seeded initialisation of `small` that says UNTRAINED of itself, to try an installation
with.  Nothing here needs torch.
"""

import json
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from m3net.card import ModelCard
from m3net.config import SMALL, M3NetConfig
from m3net.errors import InferenceError, WeightsError

DEFAULT = "default"
SEEDED = "untrained"
DEFAULT_FOLDER = Path(__file__).parent / "default_weights"
UNTRAINED_SEED = 0

UNTRAINED_CARD = ModelCard(
    name="M3Net small",
    version="untrained-1",
    preset=SMALL.preset,
    trained=False,
    threshold=None,
    meaning=(
        "UNTRAINED, NOT A RESULT: a seeded initialisation, whose probability says nothing about "
        "the nodule"
    ),
    preprocessing=SMALL.preprocessing.in_words(),
    training_data="none",
    licence="Apache-2.0",
    config=SMALL.to_json(),
    weights_sha256=f"none: drawn from seed {UNTRAINED_SEED}",
)
"""The card of the network that nobody has trained."""

Precision = Literal["fp32", "bf16"]
"""fp32, or bfloat16 in the encoders: faster, and it moves a probability in the third digit."""


def load_card(weights: str | Path) -> ModelCard:
    """The model card of "default" or of a file, without touching the weights.

    Raises WeightsError.
    """
    path = weights_file(weights)
    if path is None:
        return UNTRAINED_CARD
    card_path = path.with_suffix(".json")
    try:
        return ModelCard.from_json(json.loads(card_path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path.name} has no model card: {card_path} is missing; copy both files together, or "
            "make them anew with m3node model import"
        ) from error
    except (ValueError, OSError) as error:
        raise WeightsError(f"the model card {card_path} cannot be read: {error}") from error


def fingerprint(weights: str | Path, precision: str = "fp32") -> str:
    """What `load_classifier(...).fingerprint` will be, from the card alone.

    Raises WeightsError and InferenceError.
    """
    return fingerprint_of(load_card(weights), precision)


def fingerprint_of(card: ModelCard, precision: str) -> str:
    """Hex sha256 over whatever changes a probability or what is said of it.

    The card holds the weights' sha256 and the config; the device is not in it, for it only changes
    the last digits.
    """
    text = json.dumps([card.to_json(), checked_precision(precision)], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def checked_precision(precision: str) -> str:
    """The same, if there is such a precision; else an InferenceError."""
    if precision not in get_args(Precision):
        raise InferenceError(
            f"no precision {precision!r}; there are {', '.join(get_args(Precision))}"
        )
    return precision


def config_of(card: ModelCard) -> M3NetConfig:
    """The config that the card holds.

    Raises WeightsError.
    """
    try:
        return M3NetConfig.from_json(card.config)
    except ValueError as error:
        raise WeightsError(
            f"the card of {card.name} {card.version} describes no network of this version: {error}"
        ) from error


def weights_file(weights: str | Path) -> Path | None:
    """The weights' file; None for the seeded initialisation."""
    if str(weights) == SEEDED:
        return None
    if str(weights) != DEFAULT:
        path = Path(weights)
        if path.suffix != ".safetensors":
            raise WeightsError(
                f"{path.name} is no .safetensors file; bring a checkpoint in with m3node model "
                'import, or use "default"'
            )
        if not path.is_file():
            raise WeightsError(f"no weights at {path}; correct [model] weights")
        return path
    found = sorted(DEFAULT_FOLDER.glob("*.safetensors"))
    if len(found) > 1:
        names = ", ".join(p.name for p in found)
        raise WeightsError(f"{DEFAULT_FOLDER} should hold one set of weights, it holds {names}")
    return found[0] if found else None


def sha256_of(path: Path) -> str:
    """Hex sha256 of a file.

    Raises WeightsError if it cannot be read.
    """
    try:
        digest = sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error}") from error
