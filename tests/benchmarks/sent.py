"""How many bytes a study's results are, by kind of object and number of nodules.

    python -m tests.benchmarks.sent [--slices 120]

The demo's phantom, 512 x 512, its first one, three and six nodules marked in a segmentation and
judged with the weights that ship.  Captures are told as they are sent to whoever takes JPEG-LS, and
uncompressed; what else a destination may ask for stands beside them.
"""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import ExplicitVRLittleEndian

from node.core.results import COMPANIONS
from node.demo.annotations import segmentation
from node.demo.phantom import chest_phantom
from node.offline import analyse_paths

NODULES = (1, 3, 6)
_KINDS = {"SR": "report", "PR": "presentation_state", "KO": "key_objects", "DOC": "pdf"}


def main() -> None:
    """Print the table, in kilobytes of 1,000 bytes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=120)
    phantom = chest_phantom(slices=parser.parse_args().slices)
    found: dict[int, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in NODULES:
            place = Path(folder, str(number))
            names = [nodule.tracking_id for nodule in phantom.nodules[:number]]
            (place / "in").mkdir(parents=True)
            for at, ds in enumerate([*phantom.ct, segmentation(phantom, names)]):
                ds.save_as(place / "in" / f"{at}.dcm", enforce_file_format=True)
            (study,) = analyse_paths(
                [place / "in"], out=place / "out", companions=COMPANIONS
            ).studies
            found[number] = sum(map(_bytes_of, study.folder.glob("*.dcm")), Counter())
    print("| Object | " + " | ".join(f"nodules: {number}" for number in NODULES) + " |")
    for kind in sorted(set().union(*found.values())):
        row = " | ".join(f"{found[number][kind] / 1000:,.0f}" for number in NODULES)
        print(f"| {kind} | {row} |")


def _bytes_of(path: Path) -> Counter[str]:
    ds = dcmread(path)
    size = path.stat().st_size
    if ds.Modality in _KINDS:
        return Counter({_KINDS[ds.Modality]: size})
    if "FloatPixelData" in ds:
        return Counter({"parametric_map": size})
    return Counter({"captures": size, "captures, uncompressed": _uncompressed(ds, size)})


def _uncompressed(ds: Dataset, size: int) -> int:
    if ds.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian:
        return size
    pixels = ds.Rows * ds.Columns * ds.SamplesPerPixel * int(ds.get("NumberOfFrames") or 1)
    return size - len(ds.PixelData) + int(pixels)


if __name__ == "__main__":
    main()
