"""What a search finds, kept in columns as objects are read and results written.

Found are the current version of what was received, but for results of ours that came back, and the
results in force (`node.persistence.in_force`).  Counts and modalities of a study stand in its row:
a search asks for them of a hundred studies at a time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import cast

from sqlalchemy import Connection, Table, case, func, select, text, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from node.dicom.searchable import READ, Described, Level, Matching, Value, name_key
from node.persistence.schema import FOUND, IN_FORCE, Artifact, Instance, Series, Study
from node.persistence.transactions import lock_study

_STUDIES = cast(Table, Study.__table__)
_SERIES = cast(Table, Series.__table__)
_NAMES = tuple(each.column for each in READ[Level.STUDY] if each.matching is Matching.NAME)


def describe_study(connection: Connection, study: str, says: Described, *, names: bool) -> None:
    """What the object says of its study is known.

    names : it goes before what others said; else it fills what is empty
    """
    values = {name: value for name, value in says.study.items() if names or value}
    values |= {f"{name}_key": name_key(str(values[name])) for name in _NAMES if name in values}
    if not values:
        return
    columns = _STUDIES.c
    connection.execute(
        update(_STUDIES)
        .where(columns.study_instance_uid == study)
        .values(
            values
            if names
            else {
                name: case((columns[name] == "", value), else_=columns[name])
                for name, value in values.items()
            }
        )
    )


def describe_series(connection: Connection, study: str, series: str, says: Described) -> None:
    """What the object says of its series is known, whatever others said before."""
    insert_into = sqlite_insert if connection.dialect.name == "sqlite" else postgresql_insert
    key = {"study_instance_uid": study, "series_instance_uid": series}
    values: Mapping[str, Value] = says.series
    statement = insert_into(_SERIES).values({**values, **key})
    connection.execute(
        statement.on_conflict_do_update(index_elements=[*key], set_=dict(values))
        if values
        else statement.on_conflict_do_nothing(index_elements=[*key])
    )


def recount(connection: Connection, study: str) -> None:
    """What is said of the numbers and modalities of the study and its series is so.

    One at a time counts, so that none writes what another has changed meanwhile.
    """
    lock_study(connection, study)
    found: Counter[str] = Counter()
    for table, condition in ((Instance, FOUND), (Artifact, IN_FORCE)):
        rows = connection.execute(
            select(table.series_instance_uid, func.count().label("number"))
            .where(table.study_instance_uid == study, text(condition))
            .group_by(table.series_instance_uid)
        )
        for row in rows:
            found[row.series_instance_uid] += row.number
    modalities: set[str] = set()
    for series in connection.execute(
        select(Series.series_instance_uid, Series.modality, Series.number_of_instances).where(
            Series.study_instance_uid == study
        )
    ).all():
        number = found[series.series_instance_uid]
        if number:
            modalities.add(series.modality)
        if number != series.number_of_instances:
            connection.execute(
                update(Series)
                .where(
                    Series.study_instance_uid == study,
                    Series.series_instance_uid == series.series_instance_uid,
                )
                .values(number_of_instances=number)
            )
    connection.execute(
        update(Study)
        .where(Study.study_instance_uid == study)
        .values(
            modalities=_listed(modalities - {""}),
            number_of_series=sum(1 for number in found.values() if number),
            number_of_instances=found.total(),
        )
    )


def _listed(modalities: Iterable[str]) -> str:
    r"""Each between two backslashes, so that one can be looked for: \CT\SR\."""
    listed = sorted(modalities)
    return "\\".join(("", *listed, "")) if listed else ""
