"""What may be done to what a page shows: asked first, then done by POST alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from m3net.uids import StudyInstanceUID
from node.core.people import Role
from node.core.states import SETTLED, State
from node.listed.studies import CUT
from node.web.access.person import Person
from node.web.actions import ACTIONS, Action, Done, Target, taken_by
from node.web.services import Services

_MAY_BE_CANCELLED = frozenset({State.QUEUED, State.RUNNING, State.DEAD})
_OF_JOB: Mapping[str, frozenset[State]] = {
    "requeue-job": SETTLED,
    "cancel-job": _MAY_BE_CANCELLED,
}
_OF_DELIVERY: Mapping[str, frozenset[State]] = {
    "send-again": SETTLED,
    "cancel-delivery": _MAY_BE_CANCELLED,
}

_BACK: Mapping[Target, str] = {
    Target.JOB: "/queue",
    Target.DELIVERY: "/queue?kind=delivery",
    Target.STUDY: "/study/{target}",
    Target.DESTINATION: "/destinations",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Button:
    """A link to the question whether to do it."""

    title: str
    href: str


class Acts:
    """The buttons that one person is offered: none to whoever may not press them."""

    def __init__(self, services: Services, person: Person) -> None:
        self._root = services.config.web.root
        self._may = person.may(Role.OPERATOR)
        self._fetches = bool(services.config.sources)

    def of_job(self, number: int, state: State) -> Sequence[Button]:
        """What may be done to a job in that state."""
        return self._buttons((name for name, of in _OF_JOB.items() if state in of), number)

    def of_delivery(self, number: int, state: State) -> Sequence[Button]:
        """What may be done to a delivery in that state."""
        return self._buttons((name for name, of in _OF_DELIVERY.items() if state in of), number)

    def of_study(self, uid: StudyInstanceUID) -> Sequence[Button]:
        """What may be done to a study."""
        return self._buttons([*(["fetch"] if self._fetches else []), "delete-study"], uid)

    def of_destination(self, name: str, *, dead: int) -> Sequence[Button]:
        """What may be done to a configured destination."""
        return self._buttons(["echo", *(["send-dead-again"] if dead else [])], name)

    def _buttons(self, names: Iterable[str], target: object) -> Sequence[Button]:
        if not self._may:
            return ()
        return [
            Button(
                title=f"{ACTIONS[name].title}{CUT}",
                href=path_of(self._root, ACTIONS[name], target),
            )
            for name in names
        ]


def path_of(root: str, action: Action, target: object) -> str:
    """Where it is asked and done."""
    return f"{root}/act/{action.name}/{quote(str(target), safe='')}"


def confirmation(services: Services, action: Action, target: str) -> Mapping[str, Any]:
    """What the question shows.  Raises Problem."""
    root = services.config.web.root
    return {
        "takes": taken_by(action, services, target),
        "action": action,
        "asks": action.asks.format(target=target),
        "href": path_of(root, action, target),
        "back": root + _BACK[action.target].format(target=quote(target, safe="")),
    }


def after(root: str, action: Action, done: Done) -> str:
    """The page to show when it is done."""
    elsewhere = "/destinations" if action.target is Target.DESTINATION else "/"
    path = elsewhere if done.study is None else f"/study/{done.study}"
    return f"{root}{path}?done={action.name}"


def said_done(query: Mapping[str, str]) -> str:
    """The sentence that an address says, if it is one of ours."""
    action = ACTIONS.get(query.get("done", ""))
    return "" if action is None else action.done
