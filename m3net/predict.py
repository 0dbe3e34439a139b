"""The classifier that `node` holds: patches cut, network run, maps made, memory given back."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from m3net.card import ModelCard
from m3net.errors import InferenceError
from m3net.gradcam import MALIGNANT, explain
from m3net.network import M3Net, mirror_images
from m3net.nodule import Nodule
from m3net.patches import Patches
from m3net.prediction import HeatMap, Prediction
from m3net.preprocessing import cut_for, inputs_of
from m3net.scales import Scale
from m3net.volume import CTVolume


def choose_device(device: str) -> torch.device:
    """ "auto" is the GPU where there is one.

    Raises InferenceError if a device is asked for that is not there.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InferenceError(f"no device {device!r}; use auto, cpu, cuda or cuda:1") from error
    if chosen.type not in {"cpu", "cuda"}:
        raise InferenceError(f"device {device!r} is not supported; use auto, cpu or cuda")
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise InferenceError(
            f"device {device!r} was asked for and this machine has {torch.cuda.device_count()} "
            "CUDA devices; set [model] device to cpu or auto"
        )
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchClassifier:
    """A `Classifier`: a network in eval mode on its device.

    Nodules go through one by one, so that what is said of one never depends on its neighbours, and
    memory does not grow with their number.
    """

    network: M3Net
    card: ModelCard
    fingerprint: str
    device: torch.device
    precision: str

    def classify(
        self,
        volume: CTVolume,
        nodules: Sequence[Nodule],
        *,
        on_nodule: Callable[[int], None] | None = None,
    ) -> list[Prediction]:
        """One prediction per nodule, in order; `on_nodule(i)` is called after each.

        Raises NoduleUnusable if a centre is outside the volume, InferenceError if the network gives
        no number.
        """
        predictions = []
        try:
            for i, nodule in enumerate(nodules):
                patches = cut_for(self.network.config, volume, nodule)
                predictions.append(self._predict(patches))
                if on_nodule is not None:
                    on_nodule(i)
        finally:
            if self.device.type == "cuda":
                # a worker waits for hours between studies; others may want the memory
                torch.cuda.empty_cache()
        return predictions

    def _predict(self, patches: Patches) -> Prediction:
        config = self.network.config
        inputs = {
            scale: x.to(self.device)
            for scale, x in inputs_of(patches, config.preprocessing).items()
        }  # (1, C, D, H, W) per scale
        description = None
        if patches.description is not None:
            description = torch.from_numpy(patches.description)[None].float().to(self.device)
        with self._numerics():
            explained = explain(self.network, inputs, description)
            logits = explained.outputs.logits.float()  # (1, 2)
            if config.mirrored:
                logits = (logits + self._mirrored(inputs, description)) / 4  # (1, 2)
        logits = logits.cpu()  # (1, 2)
        if not bool(torch.isfinite(logits).all()):
            raise InferenceError(
                f"{self.card.name} {self.card.version} gave {logits.tolist()[0]} for logits "
                f"({self.precision} on {self.device}); verify the weights (m3node model verify) or "
                "set [model] precision to fp32"
            )
        probability = torch.softmax(logits / self.card.temperature, dim=1)[0, MALIGNANT]
        heat_maps = {
            scale: HeatMap(
                values=explained.maps[scale][0].cpu().numpy(),
                affine=patch.affine,
                has_depth=self.network.encoder(scale).has_depth,
            )
            for scale, patch in patches.scales.items()
        }
        return Prediction(probability=float(probability), heat_maps=heat_maps, notes=patches.notes)

    @torch.no_grad()
    def _mirrored(self, inputs: Mapping[Scale, Tensor], description: Tensor | None) -> Tensor:
        """Sum of the logits of the three mirror images: (1, 2)."""
        network = self.network
        each = [
            network.upper(network.lower(image), description=description).logits.float()
            for image in mirror_images(inputs)
        ]
        return torch.stack(each).sum(0)  # (1, 2)

    def _numerics(self) -> AbstractContextManager[object]:
        """The same numbers on every run: results are named by their inputs, so they must not vary.

        cuDNN's autotuner may choose another algorithm each time; TF32 has bfloat16's rounding.
        """
        stack = ExitStack()
        if self.device.type == "cuda":
            stack.enter_context(
                torch.backends.cudnn.flags(
                    enabled=True, benchmark=False, deterministic=True, allow_tf32=False
                )
            )
        if self.precision == "bf16":
            stack.enter_context(torch.autocast(self.device.type, dtype=torch.bfloat16))
        return stack
