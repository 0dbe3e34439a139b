"""Sentences about what an object holds and what was not read as a nodule."""

from collections.abc import Mapping, Sequence


def not_read(part: str, of: str, others: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    """One sentence for each reason, with the numbers of all parts that it holds for.

    part   : "ROI", "Graphic"
    of     : "the structure set"
    others : the numbers by what is said of them; never a user's words
    """
    sentences = []
    for says, numbers in others.items():
        named = ", ".join(str(number) for number in numbers)
        if len(numbers) == 1:
            sentences.append(f"{part} {named} of {of} was not read as a nodule: {says}.")
        else:
            sentences.append(f"{part}s {named} of {of} were not read as nodules: {says}.")
    return tuple(sentences)
