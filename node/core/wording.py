"""The first line of a report, and the sentences below it.

The first line says what happened before anything else; nothing in it can be taken for "normal".
"""

from collections.abc import Sequence

from sr_templates.findings import Outcome

UNTRAINED = "UNTRAINED, NOT A RESULT"


def headline(
    outcome: Outcome,
    *,
    trained: bool,
    probabilities: Sequence[tuple[str, float]] = (),
    reasons: Sequence[str] = (),
    unread: Sequence[str] = (),
) -> str:
    """The first readable line of the report.

    probabilities : (tracking id, p in [0, 1]) of every nodule that was analysed
    reasons       : one per nodule that was not
    unread        : one per annotation object that was not
    """
    match outcome:
        case Outcome.NOT_ANNOTATED:
            return "No annotation received, nothing was assessed."
        case Outcome.NOTHING_MARKED:
            return "Annotation read, it marks no nodule."
        case Outcome.NOT_ANALYSED:
            return f"Not analysed: {_sentence(_listed((*reasons, *unread)))}"
        case Outcome.TECHNICAL_FAILURE:
            return f"Technical failure, nothing was assessed: {_sentence(_listed(reasons))}"
        case Outcome.ANALYSED | Outcome.PARTLY_ANALYSED:
            return _analysed(trained, probabilities, reasons, unread)


def _analysed(
    trained: bool,
    probabilities: Sequence[tuple[str, float]],
    reasons: Sequence[str],
    unread: Sequence[str],
) -> str:
    total = len(probabilities) + len(reasons)
    parts = [f"{len(probabilities)} of {total} nodule{'s' if total != 1 else ''} analysed."]
    if reasons:
        parts.append(f"NOT analysed: {_sentence(_listed(reasons))}")
    if unread:
        parts.append(f"NOT read: {_sentence(_listed(unread))}")
    if trained:
        name, p = max(probabilities, key=lambda each: each[1])
        if total == 1:
            parts.append(f"Probability of malignancy {percent(p)}.")
        else:
            parts.append(f"Highest probability of malignancy {percent(p)} ({name}).")
    else:
        parts.insert(0, f"{UNTRAINED}.")
    return " ".join(parts)


def percent(p: float) -> str:
    """A probability as people read it; never rounded up to certainty."""
    return f"{min(max(p * 100, 0.1), 99.9):.1f} %"


def _listed(reasons: Sequence[str]) -> str:
    """Every distinct reason once."""
    return "; ".join(dict.fromkeys(reason.rstrip(".") for reason in reasons))


def _sentence(text: str) -> str:
    return f"{text}."
