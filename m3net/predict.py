"""The classifier that `node` holds: patches cut, network run, maps made, memory given back."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor

from m3net.calibration import calibration_of
from m3net.card import ModelCard
from m3net.errors import InferenceError
from m3net.evidence import evidence_of
from m3net.gradcam import MALIGNANT, explain, scaled
from m3net.grid import GridBox
from m3net.mirrorings import mean_logits, mean_map, mirrorings_of
from m3net.network import Network
from m3net.nodule import Nodule
from m3net.patches import Patch, Patches
from m3net.prediction import HeatMap, Prediction
from m3net.preprocessing import box_for, cut_for, inputs_of
from m3net.scales import Scale
from m3net.told import told_as
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
class _Inputs:
    """All mirrorings of one nodule: per scale (M, C, D, H, W), and its numbers (M, N) if any.

    valid : per scale (M, D, H, W), 1 where the scan has a voxel that may be seen
    """

    patches: Mapping[Scale, Tensor]
    valid: Mapping[Scale, Tensor]
    description: Tensor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchClassifier:
    """A `Classifier`: a network in eval mode on its device.

    Nodules go through one by one, so that what is said of one never depends on its neighbours, and
    memory does not grow with their number.
    """

    network: Network
    card: ModelCard
    fingerprint: str
    device: torch.device
    precision: str

    def box_needed(self, volume: CTVolume, nodule: Nodule) -> GridBox:
        """The voxels that judge it, from the network's scales and context; see `Classifier`."""
        return box_for(self.network.config, volume, nodule)

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
                predictions.append(self.predict(patches))
                if on_nodule is not None:
                    on_nodule(i)
        finally:
            if self.device.type == "cuda":
                # a worker waits for hours between studies; others may want the memory
                torch.cuda.empty_cache()
        return predictions

    def probability(self, volume: CTVolume, nodule: Nodule) -> float:
        """What `classify` says of one nodule, without the maps (one core, `small`: 97 for 118 ms).

        Raises as `classify`.
        """
        inputs = self._inputs(cut_for(self.network.config, volume, nodule))
        with self._numerics(), torch.no_grad():
            outputs = self.network.upper(
                self.network.lower(inputs.patches), description=inputs.description
            )
        return self._probability(outputs.logits, told_as(nodule))

    def predict(self, patches: Patches) -> Prediction:
        """What it says of one nodule, cut already.  Raises InferenceError."""
        inputs = self._inputs(patches)
        with self._numerics():
            explained = explain(
                self.network, inputs.patches, inputs.description, valid=inputs.valid
            )
        return Prediction(
            probability=self._probability(explained.outputs.logits, patches.told),
            heat_maps={
                scale: self._heat_map(scale, patch, explained.maps[scale])
                for scale, patch in patches.scales.items()
            },
            evidence=evidence_of(
                self.network,
                explained.outputs,
                inputs.description,
                calibration=calibration_of(self.card, patches.told),
            ),
            notes=patches.notes,
        )

    def _heat_map(self, scale: Scale, patch: Patch, maps: Tensor) -> HeatMap:
        """The mean of maps (M, D, H, W) on the patch; 0 where the network was shown nothing."""
        shown = mean_map(maps, nodules=1).cpu() * torch.from_numpy(patch.valid)  # (1, D, H, W)
        return HeatMap(
            values=scaled(shown)[0].numpy(),
            shown=patch.valid,
            affine=patch.affine,
            has_depth=self.network.encoder(scale).has_depth,
        )

    def _inputs(self, patches: Patches) -> "_Inputs":
        """The network's input for one nodule, on its device."""
        config = self.network.config
        alone = {
            scale: x.to(self.device)
            for scale, x in inputs_of(patches, config.preprocessing).items()
        }  # (1, C, D, H, W) per scale
        every = mirrorings_of(alone, mirrored=config.mirrored)  # (M, C, D, H, W) per scale
        shown = {
            scale: torch.from_numpy(patch.valid)[None, None].float().to(self.device)
            for scale, patch in patches.scales.items()
        }  # (1, 1, D, H, W) per scale
        valid = mirrorings_of(shown, mirrored=config.mirrored)  # (M, 1, D, H, W) per scale
        description = None
        if patches.description is not None:
            numbers = torch.from_numpy(patches.description).float().to(self.device)[None]  # (1, N)
            slices = None
            if patches.slices is not None:
                slices = torch.from_numpy(patches.slices).to(self.device)  # (10, 2, 160, 160)
            with self._numerics():
                numbers = self.network.described(numbers, [slices])  # (1, N or more)
            description = numbers.expand(len(next(iter(every.values()))), -1)  # (M, N)
        return _Inputs(
            patches=every,
            valid={scale: v[:, 0] for scale, v in valid.items()},
            description=description,
        )

    def _probability(self, logits: Tensor, told: str) -> float:
        """The decision over all mirrorings (M, 2); InferenceError if it is no number."""
        decision = mean_logits(logits.float(), nodules=1).cpu()  # (1, 2)
        if not bool(torch.isfinite(decision).all()):
            raise InferenceError(
                f"{self.card.name} {self.card.version} gave {decision.tolist()[0]} for logits "
                f"({self.precision} on {self.device}); verify the weights (m3node model verify) or "
                "set [model] precision to fp32"
            )
        margin = float(decision[0, MALIGNANT] - decision[0, 1 - MALIGNANT])
        return float(calibration_of(self.card, told)(margin))

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
