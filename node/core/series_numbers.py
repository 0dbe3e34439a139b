"""Series Numbers of results: greater than those of the CT, whatever those are.

Viewers list series by number and open the first: OHIF sorts by Series Number, what holds no images
last (`sortStudy.ts`), and Orthanc's and ClearCanvas's viewers sort by it alone.  A result must
never be that first one.
"""

from collections.abc import Mapping

from node.core.results import COMPANIONS, ArtifactKind

LARGEST = 2**31 - 1
"""Of an Integer String (PS3.5 6.2)."""
BEHIND_THE_REPORT = {
    kind: place for place, kind in enumerate((*COMPANIONS, ArtifactKind.REJECTION_NOTE), start=2)
}
"""By how much the Series Number of what stands beside it is greater than the report's."""


def series_numbers(*, report: int, captures: int, above: int) -> Mapping[ArtifactKind, int]:
    """The Series Number of each kind of result.

    report, captures : as configured, such as 9101 and 9102
    above            : the greatest Series Number of the study's CT

    Where the configured numbers are not greater, all of them grow by 90 000, 990 000, ...: 9101
    becomes 99 101.  Nothing is greater than a CT that has `LARGEST` itself.
    """
    numbers = {
        ArtifactKind.REPORT: report,
        ArtifactKind.CAPTURE: captures,
        **{kind: report + place for kind, place in BEHIND_THE_REPORT.items()},
    }
    room = LARGEST - max(numbers.values())
    steps = [0, *(10**digits - 10_000 for digits in range(5, 10))]
    needed = above - min(numbers.values())
    shift = next((step for step in steps if needed < step <= room), room)
    return {kind: number + shift for kind, number in numbers.items()}
