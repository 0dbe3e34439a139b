"""Networks that were trained apart, and the expert beside them, as one that decides."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safetensors.torch import load_file

from m3net.config import M3NetConfig
from m3net.network import Committee, M3Net, network_of


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitteeFiles:
    """Where the tensors of each network lie, and of the expert if there is one."""

    members: Sequence[Path]
    expert: Path | None = None


def load_committee(config: M3NetConfig, files: CommitteeFiles) -> M3Net:
    """All of them, in eval mode; one network without an expert is the network itself.

    config : of each member; how many there are, and what the expert remembers, is as the files say
    """
    expert = {} if files.expert is None else load_file(files.expert)
    remembered = len(expert["centres"]) if expert else 0
    network = network_of(replace(config, members=len(files.members), remembered=remembered))
    members = network.networks if isinstance(network, Committee) else [network]
    for member, file in zip(members, files.members, strict=True):
        member.load_state_dict(load_file(file))
    if isinstance(network, Committee) and network.expert is not None:
        network.expert.load_state_dict(expert)
    network.eval()
    return network
