"""A checkpoint: everything that a run needs to go on, on disk whole or not at all.

It says where the run stands (epoch, steps done in it); the learning rate and all chance follow from
that (`engine.learning_rate`, `seeding`), so there is no scheduler and no random state to keep.
"""

import os
from pathlib import Path
from typing import Any

import torch

from m3net.released import read_checkpoint


def write(path: Path, content: dict[str, Any]) -> None:
    """The file is the new one, even if the power fails in between; else it is the old one."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read(path: Path) -> dict[str, Any]:
    """Tensors on the CPU, and plain values; nothing in the file is executed.

    Raises m3net.errors.WeightsError.
    """
    return dict(read_checkpoint(path))
