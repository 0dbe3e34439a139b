"""The first line of a report, and the sentences below it.

The first line says what happened before anything else; nothing in it can be taken for "normal".
"""

from collections.abc import Sequence

from sr_templates.findings import NoduleFinding, Outcome
from sr_templates.probability import UNTRAINED, percent_text
from sr_templates.spoken import counted, image_in_words, lung_in_words, size_in_words


def headline(
    outcome: Outcome,
    *,
    trained: bool,
    probabilities: Sequence[tuple[str, float]] = (),
    doubts: Sequence[tuple[str, str]] = (),
    refused: Sequence[tuple[str, str]] = (),
    reasons: Sequence[str] = (),
    unread: Sequence[str] = (),
    passed_over: str = "",
    in_short: str = "",
) -> str:
    """The first readable line of the report.

    probabilities : (name, p in [0, 1]) of every nodule that was analysed
    doubts        : (name, doubt) of every nodule that was and may be none in the lung
    refused       : (name, reason) of every nodule that was not
    reasons       : why the study as a whole was not
    unread        : one per annotation object that was not
    passed_over   : what is drawn and was not read as a nodule, counted; empty: nothing
    in_short      : what the probability means, as the model's card has it
    """
    why_not = [*reasons, *_by_reason(refused, alone=len(refused) + len(probabilities) == 1)]
    match outcome:
        case Outcome.NOT_ANNOTATED:
            return "No annotation received, nothing was assessed."
        case Outcome.NOTHING_MARKED:
            if passed_over:
                return f"Annotation read, nothing in it was judged. {passed_over}"
            return "Annotation read, it marks no nodule."
        case Outcome.NOT_ANALYSED:
            return f"Not analysed: {_sentence(_listed((*why_not, *unread)))}"
        case Outcome.TECHNICAL_FAILURE:
            return f"Technical failure, nothing was assessed: {_sentence(_listed(reasons))}"
        case Outcome.ANALYSED | Outcome.PARTLY_ANALYSED:
            return " ".join(
                (
                    *(() if trained else (f"{UNTRAINED}.",)),
                    count_of(len(probabilities), len(refused)),
                    *((f"NOT analysed: {_sentence(_listed(why_not))}",) if why_not else ()),
                    *((f"NOT read: {_sentence(_listed(unread))}",) if unread else ()),
                    *((_highest(probabilities, in_short),) if trained else ()),
                    *_doubtful(doubts, alone=len(probabilities) == 1),
                    *((passed_over,) if passed_over else ()),
                )
            )


def _doubtful(doubts: Sequence[tuple[str, str]], *, alone: bool) -> tuple[str, ...]:
    if not doubts:
        return ()
    return (f"DOUBTFUL: {_sentence(_listed(_by_reason(doubts, alone=alone)))}",)


def count_of(analysed: int, refused: int) -> str:
    """ "3 of 4 nodules analysed." """
    return f"{analysed} of {counted(analysed + refused, 'nodule')} analysed."


def _highest(probabilities: Sequence[tuple[str, float]], in_short: str) -> str:
    told = percent_text(max(p for _, p in probabilities))
    meaning = f", {in_short}" if in_short else ""
    if len(probabilities) == 1:
        return f"Probability of malignancy {told}{meaning}."
    # of two that are told alike none is said to be the higher one
    names = [name for name, p in probabilities if percent_text(p) == told]
    whose = " and ".join(names) if len(names) <= 2 else f"{len(names)} nodules"
    return f"Highest probability of malignancy {told} ({whose}){meaning}."


def summary_line(name: str, finding: NoduleFinding, *, trained: bool) -> str:
    """One nodule among several: its name, number, place and size."""
    parts = (
        percent_text(finding.probability) if trained else UNTRAINED,
        lung_in_words(finding.location),
        size_in_words(finding.measurements),
        image_in_words(finding.location),
    )
    return f"{name}: {'; '.join(part for part in parts if part)}."


def _by_reason(refused: Sequence[tuple[str, str]], *, alone: bool) -> list[str]:
    """Each reason once, behind the names of the nodules that it is the reason of."""
    names: dict[str, list[str]] = {}
    for name, reason in refused:
        names.setdefault(reason, []).append(name)
    return [reason if alone else f"{', '.join(of)}: {reason}" for reason, of in names.items()]


def _listed(reasons: Sequence[str]) -> str:
    """Every distinct reason once."""
    return "; ".join(dict.fromkeys(reason.rstrip(".") for reason in reasons))


def _sentence(text: str) -> str:
    return f"{text}."
