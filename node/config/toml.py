"""The complete, commented node.toml, written from the models so that it cannot drift from them."""

import inspect
import json
import textwrap
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from node.config.destinations import (
    DicomwebDestination,
    DimseDestination,
    FhirDestination,
    Hl7Destination,
)
from node.config.peers import Peer
from node.config.sections import NodeConfig
from node.config.sources import DicomwebSource, DimseSource

_WIDTH = 96
_DERIVED = frozenset({("database", "url")})
"""Keys whose default follows another key: commented out, or they would not follow."""
_FIRST = ("name", "kind")
_HEADER = """\
Configuration of m3node. Every key stands here with its default, so each line may go.
Any key can be set from the environment: M3NODE_RECEIVER__PORT=11113; lists as JSON.
Relative paths are relative to this file. `m3node check` says what is wrong.
"""


def commented_toml(values: Mapping[str, Mapping[str, object]] | None = None) -> str:
    """Every key with its sentence and its default, or with the value given by section and key.

    Keys without a default, keys that follow another key, and example destinations and sources are
    commented out.
    """
    values = values or {}
    blocks = [_comment(_HEADER)]
    defaults = NodeConfig()
    for name in NodeConfig.model_fields:
        section = getattr(defaults, name)
        if isinstance(section, BaseModel):
            blocks.append(_section(name, section, values.get(name, {})))
            blocks += [_example(f"[{name}.{key}]", of) for key, of in tables_of(section).items()]
    blocks.append(_example("[[destinations]]", DimseDestination, {"name": "pacs"}))
    blocks.append(_example("[[destinations]]", DicomwebDestination, {"name": "archive"}))
    blocks.append(_example("[[destinations]]", FhirDestination, {"name": "ris"}))
    blocks.append(_example("[[destinations]]", Hl7Destination, {"name": "ris-hl7"}))
    blocks.append(_example("[[sources]]", DimseSource, {"name": "pacs"}))
    blocks.append(_example("[[sources]]", DicomwebSource, {"name": "archive"}))
    return "\n\n".join(blocks) + "\n"


def _section(name: str, section: BaseModel, values: Mapping[str, object]) -> str:
    lines = [_comment(inspect.getdoc(type(section)) or ""), f"[{name}]"]
    for key, field in type(section).model_fields.items():
        if key in tables_of(section):
            continue
        lines.append(_comment(field.description or ""))
        value = values.get(key, getattr(section, key))
        if value is None:
            lines.append(f"# {key} = {toml_value(_first_example(field))}")
        elif (name, key) in _DERIVED and key not in values:
            lines.append(f"# {key} = {toml_value(value)}")
        else:
            lines.append(f"{key} = {toml_value(value)}")
    return "\n".join(lines)


def tables_of(section: BaseModel) -> dict[str, type[BaseModel]]:
    """The tables within a section, all of which may be left out."""
    return {
        key: kind
        for key, field in type(section).model_fields.items()
        for kind in get_args(field.annotation)
        if isinstance(kind, type) and issubclass(kind, BaseModel)
    }


def _example(
    heading: str, kind: type[BaseModel], values: Mapping[str, object] = MappingProxyType({})
) -> str:
    lines = [_comment(inspect.getdoc(kind) or ""), f"# {heading}"]
    own = [key for key in kind.model_fields if key not in _FIRST]
    own.sort(key=lambda key: key in Peer.model_fields)
    for key in (*(key for key in _FIRST if key in kind.model_fields), *own):
        field = kind.model_fields[key]
        lines.append(_comment(field.description or ""))
        value = values.get(key, field.default)
        if field.examples:
            value = _first_example(field)
        lines.append(f"# {key} = {toml_value(value)}")
    return "\n".join(lines)


def _first_example(field: FieldInfo) -> object:
    if not field.examples:
        raise TypeError("a key without a default needs an example")
    return field.examples[0]


def _comment(text: str) -> str:
    """Prose behind `##`, so that a single `#` always stands before a key to uncomment."""
    lines: list[str] = []
    for paragraph in text.strip().splitlines() if text == _HEADER else [" ".join(text.split())]:
        lines.extend(textwrap.wrap(paragraph, _WIDTH - 3))
    return "\n".join(f"## {line}" for line in lines)


def toml_value(value: object) -> str:
    """The value as TOML has it."""
    match value:
        case Enum():
            return toml_value(value.value)
        case bool() | int() | float() | str():
            return json.dumps(value, ensure_ascii=False)
        case Path():
            return toml_value(value.as_posix())
        case list() | tuple():
            return "[" + ", ".join(toml_value(item) for item in value) + "]"
    raise TypeError(f"no TOML for {type(value).__name__}")
