"""The OpenAPI 3.1 document, made from the table of operations: it tells of no other interface."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from pydantic import TypeAdapter

from node import __version__
from node.web.api.answers import Failed
from node.web.api.asked import Asked
from node.web.api.table import OPERATIONS, Operation
from sr_templates.envelope import RESEARCH_USE

_REFS = "#/components/schemas/{model}"
_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


def document(root: str) -> Mapping[str, Any]:
    """What `/api/openapi.json` answers.

    root : a proxy's path, which stands before every address
    """
    adapters: list[tuple[Any, Any, TypeAdapter[Any]]] = [
        (_name(each), "serialization", TypeAdapter(each.answer)) for each in OPERATIONS
    ]
    adapters.append(("failed", "serialization", TypeAdapter(Failed)))
    schemas, components = TypeAdapter.json_schemas(adapters, ref_template=_REFS)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        answer = schemas[_name(operation), "serialization"]
        said = _operation(operation, answer, schemas["failed", "serialization"])
        paths.setdefault(operation.path, {})[operation.method.lower()] = said
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "m3node",
            "version": __version__,
            "description": f"What the node received, and what came of it. {RESEARCH_USE}.",
        },
        "servers": [{"url": f"{root}/api"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components.get("$defs", {}),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of a machine: `m3node token add`.",
                }
            },
        },
    }


def _name(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def _operation(operation: Operation, answer: Any, failed: Any) -> dict[str, Any]:
    return {
        "summary": operation.summary,
        "description": f"For the role {operation.role}.",
        "operationId": _name(operation).replace("{", "").replace("}", "").replace(" /", "_"),
        "parameters": [
            *(
                {"name": name, "in": "path", "required": True, "schema": schema}
                for name, schema in operation.parameters.items()
            ),
            *_of_query(operation.query),
        ],
        "responses": {
            "200": {"description": "Done", "content": {"application/json": {"schema": answer}}},
            **{
                str(int(status)): {
                    "description": status.phrase,
                    "content": {"application/json": {"schema": failed}},
                }
                for status in (*_ALWAYS, *operation.fails)
            },
        },
    }


def _of_query(model: type[Asked]) -> list[dict[str, Any]]:
    schema = model.model_json_schema(ref_template=_REFS)
    inner = schema.get("$defs", {})
    return [
        {"name": name, "in": "query", "required": False, "schema": _resolved(said, inner)}
        for name, said in schema.get("properties", {}).items()
    ]


def _resolved(schema: Any, inner: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in its place."""
    if isinstance(schema, list):
        return [_resolved(each, inner) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _resolved(inner[schema["$ref"].rpartition("/")[2]], inner)
    return {key: _resolved(value, inner) for key, value in schema.items()}
