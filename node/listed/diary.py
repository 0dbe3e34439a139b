"""The diary of a study as it is shown: what failed again and again is one line, and not hundreds.

A destination that is down for a night is tried every few minutes, and each try leaves two lines.
They stay in the diary; shown is from when to when, how often, and the last word.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from node.core.diary import Event, sentence, step_entry
from node.core.states import Step

Work = tuple[str, Any]
"""A kind of work, and which of it: ("delivery", 7)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiaryLine:
    """One line; `until` is when the last of what it tells of happened."""

    at: datetime
    until: datetime
    says: str


@dataclass(slots=True, eq=False)
class _Entry:
    """What a line is made of: one event, or tries that failed in the same way."""

    events: list[Event] = field(default_factory=list)

    def line(self) -> DiaryLine:
        first, last = self.events[0], self.events[-1]
        says = sentence(last)
        if len(self.events) > 1:
            says = f"{says} ({len(self.events)} times since {in_local_time(first.at)})"
        return DiaryLine(at=first.at, until=last.at, says=says)


def folded(events: Iterable[Event]) -> list[DiaryLine]:
    """The lines of the diary, in the order in which the last of what they tell of happened.

    Failed tries of one piece of work with one error, between which nothing else happened to it, are
    one line; that each was begun is said of the last alone, while it lasts.
    """
    entries: list[_Entry] = []
    failing: dict[Work, _Entry] = {}
    begun: dict[Work, _Entry] = {}
    for event in events:
        kind, _, _ = event.kind.partition(".")
        work = (kind, _number(event))
        run = failing.get(work)
        if event.kind == step_entry(kind, Step.CLAIM):
            begun[work] = _Entry([event])
            entries.append(begun[work])
        elif event.kind == step_entry(kind, Step.RETRY):
            if run and run.events[-1].details.get("error") == event.details.get("error"):
                run.events.append(event)
                entries.remove(run)
                entries.append(run)
                if (claim := begun.pop(work, None)) is not None:
                    entries.remove(claim)
            else:
                failing[work] = _Entry([event])
                entries.append(failing[work])
        else:
            failing.pop(work, None)
            entries.append(_Entry([event]))
    return [entry.line() for entry in entries]


def event_json(event: Event) -> dict[str, Any]:
    """The event for programs, with its sentence."""
    return {
        "at": event.at,
        "kind": event.kind,
        "job_id": event.job_id,
        "delivery_id": event.delivery_id,
        "details": event.details,
        "sentence": sentence(event),
    }


def in_local_time(moment: datetime) -> str:
    """As all times are shown: of this machine's zone."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def zone(moment: datetime) -> str:
    """The zone in which times are shown: "UTC+01:00 (CET)"."""
    local = moment.astimezone()
    offset = local.strftime("%z")
    return f"UTC{offset[:3]}:{offset[3:5]} ({local.tzname()})"


def _number(event: Event) -> Any:
    return event.delivery_id or event.job_id or event.details.get("number")
