"""Which earlier study one may be compared with: surely of the same patient, and long before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

FEWEST_DAYS = 30
"""Between both CTs; before that even fast growth is within the error of measurement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """By what two studies are known to be of one patient; as received, empty where not stated."""

    patient_id: str
    issuer: str
    birth_date: str
    sex: str

    def is_surely(self, other: "Person") -> bool:
        """The same ID of the same issuer, and nothing that speaks against it; never a name alone.

        An ID of which one of both does not name the issuer may be another hospital's.
        """
        return (
            self.patient_id != ""
            and (self.patient_id, self.issuer) == (other.patient_id, other.issuer)
            and len({self.birth_date, other.birth_date} - {""}) < 2
            and len({self.sex, other.sex} - {""}) < 2
        )


def latest_day(study_date: str) -> str | None:
    """The last Study Date (DA) with which a study of this date is compared; None if it is none."""
    try:
        day = datetime.strptime(study_date, "%Y%m%d") - timedelta(days=FEWEST_DAYS)
    except (ValueError, OverflowError):
        return None
    return day.strftime("%Y%m%d")
