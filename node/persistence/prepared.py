"""Statements that are executed for every object that comes: compiled once, handed to the driver.

What SQLAlchemy does around a statement (a cache key, a context, a result with named rows) takes ten
times as long as SQLite takes to execute it.  The statement is written with it all the same, so that
both databases have one text, and values are converted by its types.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ClauseElement, Connection
from sqlalchemy.engine.interfaces import DBAPICursor, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.compiler import SQLCompiler

Convert = Callable[[Any], Any] | None


class Prepared:
    """One statement, for whichever dialect it is first executed on; values by their names.

    columns : of an INSERT without values, those that will be given
    """

    def __init__(self, statement: ClauseElement, *, columns: tuple[str, ...] | None = None) -> None:
        self._statement = statement
        self._columns = columns
        self._by_dialect: dict[str, _Compiled] = {}

    def execute(
        self, connection: Connection, cursor: DBAPICursor, values: Mapping[str, Any]
    ) -> DBAPICursor:
        """It is executed in the connection's transaction; the cursor, for rows and their number."""
        dialect = connection.dialect
        compiled = self._by_dialect.get(dialect.name)
        if compiled is None:
            compiled = _Compiled(self._statement, self._columns, dialect)
            self._by_dialect[dialect.name] = compiled
        dbapi = dialect.loaded_dbapi
        try:
            cursor.execute(compiled.text, compiled.parameters(values))
        except dbapi.Error as error:
            raise DBAPIError.instance(
                compiled.text, None, error, dbapi.Error, hide_parameters=True, dialect=dialect
            ) from error
        return cursor

    def text(self, dialect: Dialect) -> str:
        """What is sent."""
        return _Compiled(self._statement, self._columns, dialect).text


class _Compiled:
    def __init__(
        self, statement: ClauseElement, columns: tuple[str, ...] | None, dialect: Dialect
    ) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=columns)
        assert isinstance(compiled, SQLCompiler)  # noqa: S101  # it is no DDL
        self.text = str(compiled)
        self._positional = compiled.positional
        binds = {name: bind for bind, name in compiled.bind_names.items()}
        fixed = compiled.params
        self._binds: list[tuple[str, Convert, Any]] = [
            (
                name,
                binds[name].type.dialect_impl(dialect).bind_processor(dialect),
                fixed[name],
            )
            for name in (compiled.positiontup if compiled.positional else binds) or ()
        ]

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """What the driver takes: a tuple, or by name."""
        found = [
            (name, convert(value) if convert else value)
            for name, convert, default in self._binds
            for value in (values.get(name, default),)
        ]
        return tuple(value for _, value in found) if self._positional else dict(found)
