"""What a network costs: parameters and multiply-accumulates (MACs), ours beside Table 7's.

Networks are counted on shapes alone, so that the largest needs neither memory nor time.  Two
counts, because Table 7's are not what the word GFLOPs says:

macs       : convolutions, linear layers and the products inside attention
as_printed : convolutions, linear layers (attention's own products left out), 4 per element of a
             batch or instance norm, 11 per element resized bilinearly; so counted, Table 7 is met
             to 0.01 % at the inputs that `TABLE_7` names, but for DINOv3 (2 %)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils.flop_counter import FlopCounterMode

from m3net.config import RELEASE, Size3
from m3net.encoders import ConvNeXtEncoder
from m3net.network import M3Net, parameter_count
from training.baselines import BASELINES, build

Sizes = tuple[Size3, ...]
"""One per input of the network."""

TRUE_M3NET: Sizes = ((56, 32, 32), (56, 64, 64), (56, 96, 96))
SMALLEST: Size3 = (56, 32, 32)
TEXT: Size3 = (56, 64, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of one forward pass of one nodule."""

    parameters: int
    macs: int
    as_printed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCost:
    """One row of Table 7.

    evident : the input at which `as_printed` meets it, `times` : by what it was multiplied
    """

    gflops: float
    parameters_m: float
    evident: Sizes
    times: int = 1


TABLE_7 = {
    "NASLung": PrintedCost(gflops=21.335, parameters_m=28.456, evident=(SMALLEST,), times=2),
    "DeepLung": PrintedCost(gflops=45.316, parameters_m=36.968, evident=(SMALLEST,)),
    "MVCS": PrintedCost(gflops=48.202, parameters_m=98.987, evident=((96, 32, 32),)),
    "DINOv3": PrintedCost(gflops=539.150, parameters_m=85.904, evident=((32, 32, 32),)),
    "M3Net": PrintedCost(gflops=20.079, parameters_m=184.608, evident=(SMALLEST,) * 3),
}


def cost(make: Callable[[], nn.Module], sizes: Sizes) -> Cost:
    """What `make()` costs on inputs (1, 1, *size)."""
    with torch.device("meta"):
        network = make().eval()
    parameters = parameter_count(network)
    # not on the meta device throughout: autocast does not know it
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        network.to_empty(device="cpu")
        inputs = [torch.empty(1, 1, *size) for size in sizes]
        extra = _ModuleCount(network)
        with FlopCounterMode(display=False) as counter:
            network(*inputs)
    operations = counter.get_flop_counts()["Global"]
    convolutions = operations.get(torch.ops.aten.convolution, 0) // 2
    return Cost(
        parameters=parameters,
        macs=sum(operations.values()) // 2,
        as_printed=convolutions + extra.linear + 4 * extra.normed + 11 * extra.resized,
    )


class _ModuleCount:
    """Sums over the calls of a network's modules."""

    def __init__(self, network: nn.Module) -> None:
        self.linear = self.normed = self.resized = 0
        for module in network.modules():
            if type(module) is nn.Linear:
                module.register_forward_hook(self._linear)
            elif isinstance(module, nn.BatchNorm3d | nn.InstanceNorm3d):
                module.register_forward_hook(self._norm)
            elif isinstance(module, ConvNeXtEncoder):  # the one that resizes as Table 7 counts it
                stem = cast(nn.Conv2d, module.stem["conv"])
                self.resized += stem.in_channels * module.grid**2

    def _linear(self, module: nn.Linear, _inputs: object, output: Tensor) -> None:
        self.linear += output.numel() * module.in_features

    def _norm(self, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        self.normed += output.numel()


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """One line of `m3train cost`.

    small, true : on 32 x 32 x 56, and on 64 x 64 x 56 (M³Net: on its three sizes)
    evident     : as Table 7 counted it, at the input that it evidently had, in GFLOPs as printed
    """

    model: str
    small: Cost
    true: Cost
    printed: PrintedCost | None
    evident: float | None


def costed() -> list[str]:
    """The models that can be counted: M³Net as published, and every baseline that works."""
    return ["M3Net", *(name for name, row in BASELINES.items() if row.make is not None)]


def cost_row(model: str) -> CostRow:
    """One of `costed()`, ours beside the paper's."""

    def make(size: Size3) -> Callable[[], nn.Module]:
        return (lambda: M3Net(RELEASE)) if model == "M3Net" else lambda: build(model, size=size)

    small: Sizes = (SMALLEST,) * 3 if model == "M3Net" else (SMALLEST,)
    true: Sizes = TRUE_M3NET if model == "M3Net" else (TEXT,)
    printed, evident = TABLE_7.get(model), None
    if printed is not None:
        counted = cost(make(printed.evident[0]), printed.evident).as_printed
        evident = printed.times * counted / 1e9
    return CostRow(
        model=model,
        small=cost(make(SMALLEST), small),
        true=cost(make(TEXT), true),
        printed=printed,
        evident=evident,
    )


COLUMNS = (
    "model",
    "M parameters",
    "paper",
    "GMACs 32x32x56",
    "GMACs true size",
    "paper's GFLOPs",
    "the same recounted",
)


def as_cells(row: CostRow) -> tuple[str, ...]:
    """Under `COLUMNS`; "-" where the paper has nothing."""
    paper = row.printed
    return (
        row.model,
        f"{row.true.parameters / 1e6:.3f}",
        f"{paper.parameters_m:.3f}" if paper else "-",
        f"{row.small.macs / 1e9:.3f}",
        f"{row.true.macs / 1e9:.3f}",
        f"{paper.gflops:.3f}" if paper else "-",
        "-" if row.evident is None else f"{row.evident:.3f}",
    )
