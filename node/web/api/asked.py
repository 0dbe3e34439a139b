"""What a request may ask for: models of queries, read strictly, so that the document tells all."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from node.core.standing import Standing
from node.core.states import State
from node.persistence.asked import StudyOrder, WorkOrder

MOST_ROWS = 1000
_HIGHEST = 2**31 - 1


def _whole(value: object) -> object:
    """A whole number as JSON writes it; " 1", "1.0" and "1_0" are none."""
    if not isinstance(value, str):
        return value
    digits = value.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) < 12:
        return int(value)
    return value + "?"


def _boolean(value: object) -> object:
    return {"true": True, "false": False}.get(value, "neither") if isinstance(value, str) else value


# A bound stands before what reads the text: behind it, the document would not tell of it.
Limit = Annotated[int, Field(ge=1, le=MOST_ROWS), BeforeValidator(_whole)]
Offset = Annotated[int, Field(ge=0, le=10_000_000), BeforeValidator(_whole)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Number = Annotated[int, Field(ge=1, le=_HIGHEST), BeforeValidator(_whole)]
"""Of a job, delivery or fetch."""


class Asked(BaseModel):
    """A query; what it does not know is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Nothing(Asked):
    """Nothing is asked beside the path."""


class ListAsked(Asked):
    """What every list can be asked for."""

    search: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] = ""
    """An accession number or how it begins, a Study Instance UID or how it ends, or the AE title of
    a sender."""
    forwards: Boolean = False
    """Whether the least comes first; else the newest."""
    limit: Limit = 50
    offset: Offset = 0


class StudiesAsked(ListAsked):
    """Which studies."""

    standing: list[Standing] = []
    """Where they stand; several are asked by repeating it."""
    delivery_state: list[State] = []
    """The last delivery to one destination at least stands in one of these."""
    sort: StudyOrder = StudyOrder.ARRIVAL


class WorkAsked(ListAsked):
    """Which pieces of work."""

    state: list[State] = []
    sort: WorkOrder = WorkOrder.NUMBER


class DeliveriesAsked(WorkAsked):
    """Which deliveries."""

    destination: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")] = ""


def said_of(model: type[Asked], items: list[tuple[str, str]]) -> dict[str, Any]:
    """The query as the model reads it; what is repeated and must not be stays a list, and is
    refused.
    """
    said: dict[str, Any] = {}
    for name, value in items:
        said.setdefault(name, []).append(value)
    return {
        name: values if len(values) > 1 or _is_list(model, name) else values[0]
        for name, values in said.items()
    }


def _is_list(model: type[Asked], name: str) -> bool:
    field = model.model_fields.get(name)
    return field is not None and getattr(field.annotation, "__origin__", None) is list
