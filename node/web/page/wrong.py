"""What is wrong now: stands at the top of every page, and says when it was looked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from node.watch.sign import Name, Severity, Sign
from node.web.services import Services

UNREADABLE = "The database does not answer: nothing on this page tells of the present"
_PAGES: Mapping[Name, str] = {
    Name.JOBS_DEAD: "/queue?kind=job&state=dead",
    Name.DELIVERIES_DEAD: "/queue?kind=delivery&state=dead&destination={subject}",
    Name.FETCHES_DEAD: "/queue?kind=fetch&state=dead",
    Name.DESTINATION_DOWN: "/destinations",
    Name.DESTINATION_UNKNOWN: "/destinations",
}
_ELSEWHERE = "/system"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownSign:
    """One thing that is wrong.

    fails : whether some of the node's work is not done; else somebody has to see to something
    path  : of the page that shows more
    """

    says: str
    fails: bool
    since: datetime | None
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """All of it, the worst first."""

    signs: Sequence[ShownSign]
    at: datetime

    @property
    def fails(self) -> bool:
        """Whether one of them is more than a warning."""
        return any(each.fails for each in self.signs)


def wrong_now(services: Services) -> Wrong:
    """What is wrong; a database that does not answer is a sign, and no error."""
    return Wrong(signs=[_shown(each) for each in services.lookout.signs()], at=services.clock())


def _shown(sign: Sign) -> ShownSign:
    subject = f"{sign.subject}: " if sign.subject and sign.subject not in sign.says else ""
    return ShownSign(
        says=f"{subject}{sign.says}",
        fails=sign.severity is Severity.ERROR,
        since=sign.since,
        path=_PAGES.get(sign.name, _ELSEWHERE).format(subject=quote(sign.subject, safe="")),
    )
