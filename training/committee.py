"""Networks of one config that were trained apart, as one that averages their logits."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load_file

from m3net.config import M3NetConfig
from m3net.network import Committee, M3Net, network_of


def load_committee(config: M3NetConfig, files: Sequence[Path]) -> M3Net:
    """The members whose tensors lie in these files, in eval mode; one file is the network itself.

    config : of each member, or of all together
    """
    committee = network_of(replace(config, members=len(files)))
    members = committee.networks if isinstance(committee, Committee) else [committee]
    for member, file in zip(members, files, strict=True):
        member.load_state_dict(load_file(file))
    committee.eval()
    return committee
