"""Whether a source is asked for what is missing of a study, and what its answer proves.

Pure: what was asked before and what came of it in, the next question or none out.  So there is no
loop: the same question is put to a source once, and a study gets so many fetches by itself and no
more.  A person may always ask again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from m3net.uids import SeriesInstanceUID, SOPInstanceUID
from node.core.states import SETTLED, State

_CT = "CT"
_MOST_UNNAMED = 20


class Scope(StrEnum):
    """How much of a study is wanted."""

    MISSING = "missing"
    """The CT that is judged, whole."""
    STUDY = "study"
    """Every CT series and every annotation: somebody has asked for the study."""


ANNOTATIONS = frozenset({"SEG", "RTSTRUCT", "SR", "PR"})
"""Modalities of objects that may mark a nodule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is asked of a source.

    series    : the CT series that is judged; None if no CT has come
    instances : what annotations refer to and what is not here
    content   : digest of what the question rests on; the same is asked once
    """

    scope: Scope
    series: SeriesInstanceUID | None = None
    instances: frozenset[SOPInstanceUID] = frozenset()
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesThere:
    """A series as a source describes it.

    said      : how many instances it says that the series has; None if it does not say
    instances : those that it lists; empty if it lists none
    """

    series_instance_uid: SeriesInstanceUID
    modality: str
    said: int | None = None
    instances: frozenset[SOPInstanceUID] = frozenset()

    @property
    def count(self) -> int:
        """How many instances it has: the greater number, if what it says and lists differ."""
        return max(self.said or 0, len(self.instances))

    def of_it(self, here: Collection[SOPInstanceUID]) -> int:
        """How many of its instances are among those of the series that are here.

        Where it counts more than it lists, which they are is not known: as many as it counts.
        """
        known = self.instances.intersection(here) if len(self.instances) == self.count else here
        return min(len(known), self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What came of a fetch.

    series : of the study, as the source described them
    beyond : what was here of them in the end and is not listed there
    said   : sentences for the report, about what was not as it should be
    """

    series: tuple[SeriesThere, ...]
    beyond: frozenset[SOPInstanceUID] = frozenset()
    said: tuple[str, ...] = ()

    def of(self, series: SeriesInstanceUID) -> SeriesThere | None:
        """What the source says of one series; None if it does not hold it."""
        return next((each for each in self.series if each.series_instance_uid == series), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """One question to one source, in the order in which they were put.

    by_itself : whether the node asked, and not a person
    findings  : of one that is done
    """

    number: int
    source: str
    content: str
    by_itself: bool
    state: State
    findings: Findings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceCount:
    """Of the instances of the CT series that a source holds, how many are here."""

    source: str
    here: int
    there: int

    @property
    def absent(self) -> int:
        """How many are not here."""
        return self.there - self.here


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be sent of one series.

    instances : these; None: all of it
    expected  : how many that are, as far as the source says
    here      : what is here already, and is not taken once more
    """

    series: SeriesInstanceUID
    instances: frozenset[SOPInstanceUID] | None
    expected: int
    here: frozenset[SOPInstanceUID] = frozenset()


def open_fetch(fetches: Iterable[Fetch]) -> Fetch | None:
    """The one that is not settled yet."""
    return next((each for each in fetches if each.state not in SETTLED), None)


def is_exhausted(fetches: Iterable[Fetch], *, max_fetches: int) -> bool:
    """Whether as much was asked as is asked without a person's asking."""
    return sum(each.by_itself for each in fetches) >= max_fetches


def source_to_ask(
    wanted: Wanted,
    fetches: Sequence[Fetch],
    *,
    here: Collection[SOPInstanceUID],
    sources: Sequence[str],
    max_fetches: int,
) -> str | None:
    """The source that is to be asked next; None if there is nothing more to learn.

    here : the instances of the wanted series that are here
    """
    if is_exhausted(fetches, max_fetches=max_fetches):
        return None
    asked = {name: [each for each in fetches if each.source == name] for name in sources}
    known = {name: _newest_findings(settled) for name, settled in asked.items()}
    series = wanted.series
    if series is not None:
        for source, findings in known.items():
            there = findings.of(series) if findings else None
            if findings and there and set(here) - there.instances - findings.beyond:
                return source  # more has come than it listed then: what it said is out of date
        there_now = [findings.of(series) for findings in known.values() if findings]
        if not wanted.instances and any(_is_whole(there, here) for there in there_now):
            return None
    return next(
        (name for name in sources if wanted.content not in {each.content for each in asked[name]}),
        None,
    )


def count_at_source(
    series: SeriesInstanceUID,
    fetches: Sequence[Fetch],
    *,
    here: Collection[SOPInstanceUID],
    sources: Sequence[str],
) -> SourceCount | None:
    """What the source's count says of the series; of several the one that counts the most.

    None if no source holds it.
    """
    counts = []
    for source in sources:
        known = _newest_findings([each for each in fetches if each.source == source])
        there = known.of(series) if known else None
        if there is not None and there.count:
            counts.append(SourceCount(source=source, here=there.of_it(here), there=there.count))
    return max(counts, key=lambda each: each.there, default=None)


def what_was_tried(
    wanted: Wanted, fetches: Sequence[Fetch], *, sources: Sequence[str], proven_by: str | None
) -> tuple[str, ...]:
    """A sentence of each thing that was not as it should be when this was asked for.

    proven_by : the source whose count proves that all is here; then no other need be spoken of
    """
    said: list[str] = []
    for source in sources if proven_by is None else (proven_by,):
        settled = [each for each in fetches if each.source == source]
        same = [each for each in settled if each.content == wanted.content]
        if not settled:
            continue
        last = (same or settled)[-1]
        if last.findings is None:
            said.append(
                f"What {source} holds of the study is not known: it could not be asked, or broke "
                "off."
            )
        elif not last.findings.series:
            said.append(f"{source} was asked, and holds nothing of this study.")
        else:
            said += last.findings.said
    return tuple(dict.fromkeys(said))


def orders(
    wanted: Wanted,
    there: Sequence[SeriesThere],
    here: Mapping[SeriesInstanceUID, frozenset[SOPInstanceUID]],
) -> tuple[Order, ...]:
    """What is to be sent, so that what is wanted is here whole; empty if it is."""
    found = []
    for each in there:
        if _is_wanted(each, wanted, there):
            order = _rest_of(each, here.get(each.series_instance_uid, frozenset()))
        else:
            order = _referred_to(each, wanted)
        found += [] if order is None else [order]
    return tuple(found)


def _rest_of(each: SeriesThere, present: frozenset[SOPInstanceUID]) -> Order | None:
    """What of the series is not here; None if nothing is."""
    absent = each.instances - present
    if not absent and each.count <= len(each.instances | present):
        return None
    # What it says beyond what it lists is asked for as a whole.
    by_image = absent and absent != each.instances
    return Order(
        series=each.series_instance_uid,
        instances=absent if by_image else None,
        expected=len(absent) if by_image else each.count,
        here=present,
    )


def _referred_to(each: SeriesThere, wanted: Wanted) -> Order | None:
    """Of a series that is not wanted as such, what an annotation refers to: a segmentation, say."""
    named = each.instances & wanted.instances
    if not named:
        return None
    return Order(series=each.series_instance_uid, instances=named, expected=len(named))


def _is_wanted(each: SeriesThere, wanted: Wanted, there: Sequence[SeriesThere]) -> bool:
    """Whether all of the series is."""
    if wanted.scope is Scope.STUDY:
        return each.modality == _CT or each.modality in ANNOTATIONS
    if each.series_instance_uid == wanted.series:
        return True
    if each.modality != _CT:
        return False
    if wanted.instances and any(other.instances for other in there):
        return bool(wanted.instances & each.instances)
    # Nothing says which it is: every CT series, unless there are more than a study has.
    series = sum(other.modality == _CT for other in there)
    return wanted.series is None and series <= _MOST_UNNAMED


def _newest_findings(fetches: Sequence[Fetch]) -> Findings | None:
    return next((each.findings for each in reversed(fetches) if each.findings is not None), None)


def _is_whole(there: SeriesThere | None, here: Collection[SOPInstanceUID]) -> bool:
    return there is not None and 0 < there.count == there.of_it(here)
