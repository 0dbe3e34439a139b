"""What is said of a fetch: to the report what is not as it should be, to the diary what came."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from m3net.uids import SeriesInstanceUID, SOPInstanceUID
from node.core.fetching import Order, SeriesThere, Wanted
from sr_templates.spoken import counted

Here = Mapping[SeriesInstanceUID, frozenset[SOPInstanceUID]]
"""The instances of each series that are here."""


def said_of(
    name: str,
    wanted: Wanted,
    there: Sequence[SeriesThere],
    here: Here,
    *,
    taken: Collection[SOPInstanceUID],
    not_taken: Mapping[str, int],
) -> tuple[str, ...]:
    """A sentence for each thing that is not as the source describes it.

    name      : of the source
    here      : after the fetch
    taken     : what it sent and was kept
    not_taken : how much it sent besides, by the reason
    """
    said: list[str] = []
    if there and wanted.series not in {None, *(each.series_instance_uid for each in there)}:
        said.append(f"{name} holds the study, and not this CT series.")
    for each in there:
        present = here.get(each.series_instance_uid, frozenset())
        is_ct = each.modality == "CT" and (present or wanted.instances & each.instances)
        if is_ct or each.series_instance_uid == wanted.series:
            said += _of_series(name, wanted, each, present, taken)
    listed = frozenset().union(*(each.instances for each in there))
    nowhere = wanted.instances - listed - frozenset().union(*here.values())
    if listed and nowhere:
        said.append(
            f"{name} does not hold {counted(len(nowhere), 'instance')} that the annotation refers "
            "to."
        )
    said += [
        f"{counted(number, 'object')} that {name} sent {'was' if number == 1 else 'were'} not "
        f"taken: {because}."
        for because, number in sorted(not_taken.items())
    ]
    return tuple(said)


def _of_series(
    name: str,
    wanted: Wanted,
    there: SeriesThere,
    here: frozenset[SOPInstanceUID],
    taken: Collection[SOPInstanceUID],
) -> Iterator[str]:
    is_it = wanted.series in (None, there.series_instance_uid)
    which = "the CT series" if is_it else "another CT series"
    if there.instances and there.said not in (None, len(there.instances)):
        yield (
            f"{name} says that {which} has {counted(there.said or 0, 'image')}, and lists "
            f"{len(there.instances)}."
        )
    if is_it and (absent := there.count - there.of_it(here)):
        yield (
            f"{counted(absent, 'image')} of {which} that {name} counts did not come when asked for."
        )
    unlisted = len(here.intersection(taken) - there.instances) if there.instances else 0
    if unlisted:
        yield f"{name} sent {counted(unlisted, 'image')} of {which} that it does not list."


def summary(
    there: Sequence[SeriesThere],
    asked: Sequence[Order],
    before: Here,
    after: Here,
    said: Sequence[str],
) -> str:
    """What is there, what was asked for, and what came of it."""
    if not there:
        return "nothing of the study is there"
    number = counted(sum(each.count for each in there), "object")
    if not asked:
        done = "; nothing that is wanted is missing here"
    else:
        came = sum(len(after[series] - before.get(series, frozenset())) for series in after)
        expected = sum(order.expected for order in asked)
        done = f"; {expected} were asked for and {came} came."
    return " ".join([f"{number} in {len(there)} series there{done}", *said])
