"""The routes of the table: requests are read by its models, answers are checked by its types."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from node.core.people import Role
from node.web.access.required import require, required
from node.web.api import table
from node.web.api.asked import Number, said_of
from node.web.api.document import document
from node.web.api.table import OPERATIONS, Operation
from node.web.problems import Problem
from node.web.services import Services

_HEADERS = {"Cache-Control": "no-store"}
_NUMBER: TypeAdapter[int] = TypeAdapter(Number)
_LONGEST = 128


def routes(services: Services) -> list[BaseRoute]:
    """Every operation, and the document that tells of them; relative to /api."""

    @required(Role.VIEWER)
    def described(request: Request) -> Response:
        del request
        return JSONResponse(document(services.config.web.root))

    return [
        Route("/openapi.json", described),
        *(_route(services, operation) for operation in OPERATIONS),
    ]


def _route(services: Services, operation: Operation) -> Route:
    answer: TypeAdapter[Any] = TypeAdapter(operation.answer)

    def endpoint(request: Request) -> Response:
        person = require(request, operation.role)
        read = table.Request(
            path=_path(operation, request.path_params),
            query=_query(operation, request),
            person=person,
        )
        said = operation.act(services, read)
        body = answer.dump_json(answer.validate_python(said))
        return Response(body, media_type="application/json", headers=_HEADERS)

    return Route(operation.path, endpoint, methods=[operation.method])


def _path(operation: Operation, said: Mapping[str, str]) -> Mapping[str, Any]:
    """Raises Problem(404): nothing goes by what cannot be."""
    read: dict[str, Any] = {}
    for name, schema in operation.parameters.items():
        value = said[name]
        if schema["type"] == "integer":
            try:
                read[name] = _NUMBER.validate_python(value)
            except ValidationError:
                raise _nothing() from None
        elif value not in schema.get("enum", [value]) or len(value) > _LONGEST or "\0" in value:
            raise _nothing()
        else:
            read[name] = value
    return read


def _nothing() -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, "there is nothing of that name or number")


def _query(operation: Operation, request: Request) -> Any:
    """Raises Problem(422), which repeats nothing of what was sent."""
    try:
        return operation.query.model_validate(
            said_of(operation.query, request.query_params.multi_items())
        )
    except ValidationError as error:
        known = ", ".join(operation.query.model_fields) or "nothing"
        wrong = {
            str(each["loc"][0]) for each in error.errors() if each["type"] != "extra_forbidden"
        }
        says = "; ".join(
            [f"{name} cannot be that" for name in sorted(wrong)]
            or ["something is asked that is not known"]
        )
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"{says}; the query may have: {known}"
        ) from None
