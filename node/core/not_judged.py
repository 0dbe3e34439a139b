"""What annotations draw and what was not read as a nodule, in words.

In the headline it is counted, so that nobody takes "no nodule" for "nothing drawn"; below it every
one is named.  The words are those of public codes and of our own tables, never a user's.
"""

from collections.abc import Hashable, Sequence

from m3net.annotations.types import Drawn, PassedOver

MOST_NAMED = 3
"""Different things that the headline names; the sentences below it name all."""
MOST_PLACES = 20
"""Places, or rows of places, that a sentence names."""


def count_passed_over(passed_over: Sequence[PassedOver]) -> str:
    """One sentence for each kind, for the headline; empty if nothing was passed over.

    "5 measurements without a finding were not judged. 1 segment was not read as a nodule: Tissue."
    """
    sentences = []
    for bare in (True, False):
        for drawn in Drawn:
            of_kind = [p for p in passed_over if p.drawn is drawn and _is_bare(p) is bare]
            if of_kind:
                sentences.append(_counted(drawn, of_kind, bare=bare))
    return " ".join(sentences)


def name_passed_over(passed_over: Sequence[PassedOver]) -> tuple[str, ...]:
    """One sentence for each thing that is said, with all the places that it is said of."""
    groups: dict[Hashable, list[PassedOver]] = {}
    for each in passed_over:
        groups.setdefault((each.drawn, each.unsaid, each.says), []).append(each)
    return tuple(_named(group) for group in groups.values())


def _is_bare(each: PassedOver) -> bool:
    """A ruler, an angle: nothing at all says what it is."""
    return each.unsaid and not each.says and each.drawn is Drawn.MEASUREMENT


def _counted(drawn: Drawn, group: Sequence[PassedOver], *, bare: bool) -> str:
    number = len(group)
    many = number > 1
    what = f"{number} {drawn}{'s' if many else ''}"
    if bare:
        return f"{what} without a finding {'were' if many else 'was'} not judged."
    read = "were not read as nodules" if many else "was not read as a nodule"
    names = list(dict.fromkeys(each.says or "nothing says what it is" for each in group))
    listed = ", ".join(names[:MOST_NAMED])
    if len(names) > MOST_NAMED:
        listed += f" and {len(names) - MOST_NAMED} more"
    return f"{what} {read}: {listed}."


def _named(group: Sequence[PassedOver]) -> str:
    first = group[0]
    many = len(group) > 1
    places = _places(group)
    if _is_bare(first):
        what = "measurements" if many else "a measurement"
        return f"{places} {'are' if many else 'is'} {what} without a finding, not judged."
    says = first.says or "nothing says what it is"
    return f"{places} {'were not read as nodules' if many else 'was not read as a nodule'}: {says}."


def _places(group: Sequence[PassedOver]) -> str:
    """ "Segments 1 to 3 and 5"; places of other names one by one; of many the first."""
    words = [each.place.rpartition(" ") for each in group]
    kinds = {kind for kind, _, _ in words}
    if len(group) > 1 and len(kinds) == 1 and all(number.isdecimal() for _, _, number in words):
        text = f"{kinds.pop()}s {_listed(_in_rows([int(number) for _, _, number in words]))}"
    else:
        text = _listed([(each.place, 1) for each in group])
    return f"{text[:1].upper()}{text[1:]}"


def _in_rows(numbers: Sequence[int]) -> list[tuple[str, int]]:
    """Each number, or each three and more in a row as "1 to 3", and how many it stands for."""
    rows: list[list[int]] = []
    for number in numbers:
        if rows and rows[-1][-1] == number - 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return [
        part
        for row in rows
        for part in (
            [(f"{row[0]} to {row[-1]}", len(row))] if len(row) > 2 else [(str(n), 1) for n in row]
        )
    ]


def _listed(parts: Sequence[tuple[str, int]]) -> str:
    if len(parts) > MOST_PLACES:
        rest = sum(count for _, count in parts[MOST_PLACES:])
        return f"{', '.join(text for text, _ in parts[:MOST_PLACES])} and {rest} more"
    *some, last = (text for text, _ in parts)
    return f"{', '.join(some)} and {last}" if some else last
