"""M³Net: DICOM in, nodules, malignancy and heat maps out.

This floor reads CT series and nodule annotations, cuts the macro, meso and micro patches, runs the
network and explains it with Grad-CAM.  It knows no network, no database and no queue; `node` serves
it and `training` trains it, both through the same readers.

`m3net.from_released(state_dict)` and `m3net.M3Net` are loaded on first use, so that what only reads
DICOM does not wait for torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from m3net.network import M3Net
    from m3net.released import from_released

__all__ = ["M3Net", "from_released"]


def __getattr__(name: str) -> Any:
    """PEP 562: the two names above, imported when they are asked for."""
    if name == "from_released":
        from m3net.released import from_released

        return from_released
    if name == "M3Net":
        from m3net.network import M3Net

        return M3Net
    raise AttributeError(f"module 'm3net' has no attribute {name!r}")
