"""The network on a GPU: whether it says the same, how fast, in how much memory.

    python tests/gpu/measure.py --out gpu.json               # a few minutes of one GPU
    python tests/gpu/measure.py --device cpu --narrow        # seconds: that every step runs

Needs torch, numpy, safetensors and this checkout, nothing else; no data.  Results go to --out after
each step, and a step that is there already is not run again, so two short leases add up.

precision   probabilities of each preset in fp32, tf32 and bf16 against the CPU's fp32
maps        the maps of where it looked against the CPU's
speed       latency and nodules a second by batch, with channels-last, torch.compile and CUDA
            graphs, the share of what the card's own matrix product reaches, and the memory
training    a step of `paper` as training takes it, against bare forward and backward
gradients   what two processes sum, against one (NCCL; gloo on a CPU), if there are two devices
"""

import argparse
import json
import os
import sys
import time
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))


class _Absent(MetaPathFinder, Loader):
    """scipy, where it is not installed: cutting and describing nodules need it, networks do not."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        """Whatever of scipy is asked for; it comes last, so an installed one goes before it."""
        own = name.partition(".")[0] == "scipy"
        return ModuleSpec(name, self, is_package=True) if own else None

    def create_module(self, spec: ModuleSpec) -> types.ModuleType:
        """A module of which every name is there, and none can be called."""
        return _Empty(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """Nothing is in it."""


class _Empty(types.ModuleType):
    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._call

    def _call(self, *_: object, **__: object) -> object:
        raise ImportError("scipy is not installed, and this needs it")


sys.meta_path.append(_Absent())

import numpy as np  # noqa: E402  # after the finder, as all that follows
import torch  # noqa: E402
from torch import Tensor, distributed, nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from m3net.config import PRESETS, M3NetConfig  # noqa: E402
from m3net.gradcam import explain, scaled  # noqa: E402
from m3net.network import M3Net, Network, build  # noqa: E402
from m3net.scales import Scale  # noqa: E402
from tests.m3net.toys import narrow  # noqa: E402
from training.learn.losses import Criterion, LossWeights  # noqa: E402

Patches = Mapping[Scale, Tensor]
BATCHES = (1, 8, 32)
PRECISIONS = ("fp32", "tf32", "bf16")
PORT = "29533"


class Bench:
    """The device, how often each thing is timed, and the networks."""

    def __init__(self, device: torch.device, *, narrow: bool) -> None:
        self.device, self.narrow = device, narrow
        self.repeats = 1 if narrow else 20
        self.batches = (2,) if narrow else BATCHES
        self.precisions = ("fp32",) if narrow else PRECISIONS

    @property
    def on_gpu(self) -> bool:
        """Whether there is anything to compare the CPU with."""
        return self.device.type == "cuda"

    def config(self, preset: str) -> M3NetConfig:
        """The preset, without the description: what is measured is the network that sees."""
        config = narrow(preset) if self.narrow else PRESETS[preset]
        plain = replace(config.preprocessing, description=False, context=None)
        return replace(config, preprocessing=plain)

    def network(self, preset: str) -> Network:
        """The same weights each time, on the CPU, in eval mode."""
        return build(self.config(preset), seed=0).eval()

    def patches(self, config: M3NetConfig, *, batch: int) -> Patches:
        """(B, C, D, H, W) of noise about as large as preprocessed HU, on the CPU."""
        generator = torch.Generator().manual_seed(batch)
        channels = config.preprocessing.channels
        return {
            s: torch.rand((batch, channels, *config.branch(s).patch.size), generator=generator)
            for s in config.scales
        }

    def to(self, patches: Patches) -> Patches:
        """On the device."""
        return {scale: x.to(self.device) for scale, x in patches.items()}

    def wait(self) -> None:
        """Until the device has done what it was told."""
        if self.on_gpu:
            torch.cuda.synchronize(self.device)

    def seconds(self, step: Callable[[], object]) -> float:
        """Median of so many, after three that warm up."""
        for _ in range(1 if self.narrow else 3):
            step()
        taken = []
        for _ in range(self.repeats):
            self.wait()
            begin = time.perf_counter()
            step()
            self.wait()
            taken.append(time.perf_counter() - begin)
        return float(np.median(taken))

    def peak_mib(self, step: Callable[[], object]) -> float | None:
        """Of the device's memory, from here on; None on a CPU."""
        if not self.on_gpu:
            return None
        torch.cuda.reset_peak_memory_stats(self.device)
        step()
        self.wait()
        return torch.cuda.max_memory_allocated(self.device) / 2**20


def logits_of(network: Network, patches: Patches) -> Tensor:
    """(B, 2)."""
    return network.upper(network.lower(patches), description=None).logits


def _numerics(bench: Bench, precision: str) -> Any:
    """fp32 in full, tf32, or bf16 by autocast."""
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision == "tf32"
    if precision == "bf16":
        return torch.autocast(bench.device.type, dtype=torch.bfloat16)
    return nullcontext()


def precision(bench: Bench) -> dict[str, Any]:
    """Preset and precision -> the largest change of a probability of four nodules."""
    found: dict[str, Any] = {}
    for preset in PRESETS:
        network = bench.network(preset)
        patches = bench.patches(network.config, batch=4)
        with torch.no_grad():
            exact = logits_of(network, patches).softmax(1)[:, 1]
            network.to(bench.device)
            for name in PRECISIONS:
                with _numerics(bench, name):
                    logits = logits_of(network, bench.to(patches)).float().cpu()
                moved = (logits.softmax(1)[:, 1] - exact).abs().max()
                found[f"{preset}_{name}"] = float(moved)
    return found


def maps(bench: Bench) -> dict[str, Any]:
    """Preset and scale -> the largest difference of a map in [0, 1], fp32 against fp32."""
    found = {}
    for preset in PRESETS:
        network = bench.network(preset)
        patches = bench.patches(network.config, batch=2)
        before = explain(network, patches).maps
        network.to(bench.device)
        with _numerics(bench, "fp32"):
            after = explain(network, bench.to(patches)).maps
        for scale in before:
            away = scaled(after[scale].cpu()) - scaled(before[scale])
            found[f"{preset}_{scale}"] = float(away.abs().max())
    return found


def speed(bench: Bench) -> dict[str, Any]:
    """Preset, precision, batch and way of running -> time, rate, share of the card, memory."""
    found: dict[str, Any] = {}
    for preset in ("small", "paper"):
        config = bench.config(preset)
        for name in bench.precisions:
            with _numerics(bench, name), torch.no_grad():
                peak = _flops_of_matmul(bench, name)
                for batch in bench.batches:
                    patches = bench.to(bench.patches(config, batch=batch))
                    for way, run in _ways(bench, preset, patches).items():
                        key = f"{preset}_{name}_{batch}_{way}"
                        try:
                            taken = bench.seconds(run)
                            memory = bench.peak_mib(run)
                        except (RuntimeError, NotImplementedError) as error:
                            found[key] = {"failed": str(error).splitlines()[0]}
                            continue
                        network = bench.network(preset).to(bench.device)
                        with FlopCounterMode(display=False) as counter:
                            logits_of(network, patches)
                        found[key] = {
                            "ms": 1000 * taken,
                            "nodules_s": batch / taken,
                            "share_of_matmul": counter.get_total_flops() / taken / peak,
                            "peak_mib": memory,
                        }
    return found


def _ways(bench: Bench, preset: str, patches: Patches) -> dict[str, Callable[[], Tensor]]:
    """As it is served; channels-last; compiled; as a CUDA graph."""
    network = bench.network(preset).to(bench.device)
    last = bench.network(preset).to(bench.device)
    for encoder in (last.encoder(scale) for scale in last.config.scales):
        if any(isinstance(module, nn.Conv3d) for module in encoder.modules()):
            encoder.to(memory_format=torch.channels_last_3d)
    turned = {s: x.contiguous(memory_format=torch.channels_last_3d) for s, x in patches.items()}
    ways: dict[str, Callable[[], Tensor]] = {
        "plain": lambda: logits_of(network, patches),
        "channels_last": lambda: logits_of(last, turned),
    }
    if bench.on_gpu:
        compiled = torch.compile(lambda given: logits_of(network, given))
        ways["compiled"] = lambda: compiled(patches)
        if not torch.is_autocast_enabled(
            bench.device.type
        ):  # its cache of casts cannot be captured
            ways["cuda_graph"] = _graph(lambda: logits_of(network, patches))
    return ways


def _graph(run: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """The same, recorded once and played back; it is recorded when it is first asked for."""
    recorded: list[tuple[torch.cuda.CUDAGraph, Tensor]] = []

    def play() -> Tensor:
        if not recorded:
            aside = torch.cuda.Stream()
            aside.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(aside):
                run()
            torch.cuda.current_stream().wait_stream(aside)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                result = run()
            recorded.append((graph, result))
        graph, result = recorded[0]
        graph.replay()
        return result

    return play


def _flops_of_matmul(bench: Bench, name: str) -> float:
    """Floating-point operations a second of a large matrix product in this precision."""
    side = 64 if bench.narrow else 8192
    dtype = torch.bfloat16 if name == "bf16" else torch.float32
    a, b = (torch.randn((side, side), device=bench.device).to(dtype) for _ in range(2))
    return 2 * side**3 / bench.seconds(lambda: a @ b)


def training(bench: Bench) -> dict[str, Any]:
    """A step of `paper` (encoders in bf16 on a GPU) as training takes it, and the bare one."""
    config = bench.config("paper")
    batch = 4 if bench.narrow else 32
    network = build(config, seed=0).train().to(bench.device)
    assert isinstance(network, M3Net)
    patches = bench.to(bench.patches(config, batch=batch))
    target = torch.arange(batch, device=bench.device) % 2
    criterion = Criterion(LossWeights()).to(bench.device)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    cast = "bf16" if bench.on_gpu else "fp32"

    def bare() -> None:
        network.zero_grad(set_to_none=True)
        with _numerics(bench, cast):
            outputs = network.forward_all(*(patches[s] for s in Scale))
        functional.cross_entropy(outputs.logits.float(), target).backward()

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        with _numerics(bench, cast):
            outputs = network.forward_all(*(patches[s] for s in Scale))
        terms = criterion(
            target=target,
            fused_logits=outputs.logits,
            branch_logits=outputs.branch_logits,
            latent=outputs.latents,
            attention=[],
        )
        terms["total"].backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()

    bare_s, step_s = bench.seconds(bare), bench.seconds(step)
    return {
        "batch": batch,
        "bare_ms": 1000 * bare_s,
        "step_ms": 1000 * step_s,
        "step_over_bare": step_s / bare_s,
        "nodules_s": batch / step_s,
        "peak_mib": bench.peak_mib(step),
    }


def gradients(bench: Bench) -> dict[str, Any]:
    """The largest relative difference of gradients that two processes sum, and how long it took."""
    if bench.on_gpu and torch.cuda.device_count() < 2:
        return {"not_measured": "one GPU"}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": PORT}
    queue = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(_half, args=(bench.device.type, bench.narrow, queue), nprocs=2)
    result: dict[str, Any] = queue.get()
    return result


def _half(rank: int, kind: str, narrow: bool, queue: Any) -> None:
    """One of two processes: half of the batch, summed with the other's half."""
    device = torch.device(kind, rank) if kind == "cuda" else torch.device(kind)
    bench = Bench(device, narrow=narrow)
    torch.set_num_threads(1)
    distributed.init_process_group("nccl" if bench.on_gpu else "gloo", rank=rank, world_size=2)
    network = bench.network("paper").to(device)
    patches, target = bench.to(bench.patches(network.config, batch=4)), torch.arange(4) % 2

    def gradient(rows: slice) -> Tensor:
        network.zero_grad(set_to_none=True)
        logits = logits_of(network, {scale: x[rows] for scale, x in patches.items()})
        loss = functional.cross_entropy(logits, target[rows].to(device), reduction="sum")
        loss.backward()
        given = [p.grad.ravel() for p in network.parameters() if p.grad is not None]
        return torch.cat(given)

    mine, whole = gradient(slice(2 * rank, 2 * rank + 2)), gradient(slice(None))
    summed = mine.clone()
    distributed.all_reduce(summed)
    away = float((summed - whole).abs().max() / whole.abs().max())
    taken = bench.seconds(lambda: distributed.all_reduce(mine))
    if rank == 0:
        size = mine.numel() * mine.element_size()
        queue.put({"relative": away, "all_reduce_ms": 1000 * taken, "mib": size / 2**20})
    distributed.destroy_process_group()


STEPS: Mapping[str, Callable[[Bench], dict[str, Any]]] = {
    "precision": precision,
    "maps": maps,
    "speed": speed,
    "training": training,
    "gradients": gradients,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Every step that --out does not hold yet; its content is printed at the end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--narrow", action="store_true", help="a few channels: a trial run")
    parser.add_argument("--out", type=Path, default=Path("gpu.json"))
    parser.add_argument("--step", action="append", choices=list(STEPS), help="only this one")
    asked = parser.parse_args(arguments)
    bench = Bench(torch.device(asked.device), narrow=asked.narrow)
    held: dict[str, Any] = json.loads(asked.out.read_text()) if asked.out.exists() else {}
    device = torch.cuda.get_device_name(bench.device) if bench.on_gpu else "cpu"
    about = {"device": device, "torch": torch.__version__, "narrow": asked.narrow}
    if held.setdefault("about", about) != about:
        sys.exit(f"{asked.out} was measured on {held['about']}, this is {about}; use another --out")
    for name, step in STEPS.items():
        if name in held or (asked.step and name not in asked.step):
            continue
        print(name, file=sys.stderr, flush=True)
        held[name] = step(bench)
        part = asked.out.with_suffix(".part")
        part.write_text(json.dumps(held, indent=2) + "\n")
        part.replace(asked.out)
    print(json.dumps(held, indent=2))


if __name__ == "__main__":
    main()
