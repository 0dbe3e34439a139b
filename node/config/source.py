"""From a TOML file and the environment to a checked `NodeConfig`.

`M3NODE_SECTION__KEY` overrides the file; lists are JSON, `M3NODE_DESTINATIONS` is a JSON list of
tables and `M3NODE_DESTINATIONS__0__HOST` a key of the first; `M3NODE_SOURCES` likewise.
Relative paths are relative to the file, or to the working directory where there is none.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from node.config.destinations import (
    DicomwebDestination,
    DimseDestination,
    FhirDestination,
    Hl7Destination,
)
from node.config.sections import NodeConfig
from node.config.sources import DicomwebSource, DimseSource
from node.config.toml import tables_of
from node.core.errors import ConfigError

PREFIX = "M3NODE_"
LISTS: Mapping[str, Mapping[str, type[BaseModel]]] = {
    "destinations": {
        "dimse": DimseDestination,
        "dicomweb": DicomwebDestination,
        "fhir": FhirDestination,
        "hl7": Hl7Destination,
    },
    "sources": {"dimse": DimseSource, "dicomweb": DicomwebSource},
}
"""The lists of tables, and the kinds of table in each."""
_TABLES: Mapping[tuple[str, ...], type[BaseModel]] = {
    (name, key): kind
    for name, section in NodeConfig()
    if isinstance(section, BaseModel)
    for key, kind in tables_of(section).items()
}
"""The tables within sections."""

Tree = dict[str, Any]


def find_config(option: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file that is meant: the option, then $M3NODE_CONFIG, then ./node.toml.

    None if there is none but the environment sets keys: then the environment is the configuration.
    """
    if option is not None:
        return option
    if named := environ.get("M3NODE_CONFIG"):
        return Path(named)
    here = Path("node.toml")
    if not here.exists() and any(keys_of(name) for name in environ):
        return None
    return here


def load_config(path: Path | None, environ: Mapping[str, str]) -> NodeConfig:
    """The checked configuration with absolute paths.

    Raises ConfigError with one line per mistake, each naming the key's path.
    """
    tree = _read(path) if path is not None else {}
    set_by = _overlay(tree, environ)
    _fill(tree)
    folder = (path.parent if path is not None else Path()).resolve()
    try:
        return NodeConfig.model_validate(tree, context=folder)
    except ValidationError as error:
        origin = str(path) if path is not None else "environment"
        mistakes: dict[str, list[str]] = {}
        for each in error.errors(include_url=False):
            place, what = _mistake(tree, set_by, origin, each)
            mistakes.setdefault(place, []).append(what)
        lines = [f"{place}: {_or(whats)}" for place, whats in mistakes.items()]
        raise ConfigError("\n".join(lines)) from None


def _read(path: Path) -> Tree:
    try:
        # Some editors begin UTF-8 with a byte order mark.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(
            f"no configuration at {path}; make one with `m3node init DIR`, "
            "or name yours with --config FILE or $M3NODE_CONFIG"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path} is not written in UTF-8 (line {line}): save it as UTF-8"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {_toml_words(str(error))}") from None


def _toml_words(said: str) -> str:
    """What the parser says, in the words of who wrote the file."""
    what, at, place = said.partition(" (at ")
    for begins, words in (
        ("Cannot declare", "the heading stands twice; put the keys of both below one"),
        ("Cannot overwrite", "the key stands twice"),
        ("Invalid value", 'no value; text stands in quotation marks: "..."'),
    ):
        if what.startswith(begins):
            return f"{words}{at}{place}"
    return said


def keys_of(name: str) -> list[str]:
    """The key path that an environment variable sets; empty if it is none of ours."""
    rest = name.removeprefix(PREFIX)
    if rest == name or not ("__" in rest or rest.lower() in LISTS):
        return []
    return rest.lower().split("__")


def _overlay(tree: Tree, environ: Mapping[str, str]) -> dict[tuple[str, ...], str]:
    """Write the environment over the file's tree; returns which variable set which key."""
    set_by: dict[tuple[str, ...], str] = {}
    for name in sorted(environ):
        keys = keys_of(name)
        if not keys:
            _require_not_meant(name, environ[name])
            continue
        set_by[tuple(keys)] = name
        at: Any = tree
        for key in keys[:-1]:
            at = _child(at, key, name, of=keys[0])
        if isinstance(at, list):
            raise ConfigError(f"{name}: what stands in that list is a table; name one of its keys")
        at[keys[-1]] = _value(name, environ[name])
    return set_by


def _require_not_meant(name: str, text: str) -> None:
    """It is no key with one "_" too few, which would be passed over.  Raises ConfigError."""
    rest = name.removeprefix(PREFIX).lower()
    if rest == name.lower() or PORT_OF_A_SERVICE.match(text):
        return
    if rest in NodeConfig.model_fields:
        raise ConfigError(f"{name} sets nothing; a key of [{rest}] is set by {name}__KEY")
    meant = [path for path in settable() if "_".join(path) == rest]
    meant += [(f"{rest}s",)] if f"{rest}s" in LISTS else []
    meant += [entry.groups()] if (entry := _ENTRY.fullmatch(rest)) else []
    if meant:
        raise ConfigError(
            f"{name} sets nothing; did you mean {PREFIX}{'__'.join(meant[0]).upper()}?"
        )


_ENTRY = re.compile(rf"({'|'.join(LISTS)})_([0-9]+)_(.+)")
PORT_OF_A_SERVICE = re.compile("(?:tcp|udp|sctp)://")
"""Kubernetes sets M3NODE_WEB_PORT=tcp://10.0.0.1:8105 for a service that is named m3node-web."""


def settable() -> Iterator[tuple[str, ...]]:
    """The paths of all keys of sections, and of the tables within these."""
    for section in NodeConfig.model_fields:
        yield from ((section, key) for key in _keys_in(section))
    for table, kind in _TABLES.items():
        yield from ((*table, key) for key in kind.model_fields)


def _keys_in(section: str) -> list[str]:
    """The keys of a section; of what is none, none."""
    found = getattr(NodeConfig(), section, None) if section in NodeConfig.model_fields else None
    return list(type(found).model_fields) if isinstance(found, BaseModel) else []


def _child(at: Any, key: str, name: str, *, of: str) -> Any:
    if isinstance(at, list):
        if not key.isdecimal() or int(key) >= len(at):
            raise ConfigError(f"{name}: there are {len(at)} {of}, numbered from 0")
        if not isinstance(at[int(key)], dict):
            raise ConfigError(f"{name}: number {key} of the {of} is no table, it has no keys")
        return at[int(key)]
    child = at.setdefault(key, {})
    if not isinstance(child, dict | list):
        raise ConfigError(f"{name}: {key} is a value, it has no keys")
    return child


def _value(name: str, text: str) -> Any:
    if not text.startswith(("[", "{")):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(f"{name} is no JSON: {error}") from None


def _tables(tree: Tree) -> list[Tree]:
    lists = [tree.get(name) for name in LISTS]
    return [
        table
        for tables in lists
        if isinstance(tables, list)
        for table in tables
        if isinstance(table, dict)
    ]


def _section(tree: Tree, name: str) -> Tree:
    section = tree.get(name)
    return section if isinstance(section, dict) else {}


def _fill(tree: Tree) -> None:
    """Every section is there, so that its defaults are checked and anchored like what is written;
    and so are the two defaults that come from another section.
    """
    for name in NodeConfig.model_fields.keys() - LISTS.keys():
        tree.setdefault(name, {})
    directory = _section(tree, "storage").get("directory")
    if isinstance(directory, str) and isinstance(database := tree["database"], dict):
        database.setdefault("url", f"sqlite:///{directory}/m3node.sqlite")
    title = _section(tree, "receiver").get("ae_title")
    for table in _tables(tree):
        if title is not None and table.get("kind") == "dimse":
            table.setdefault("calling_ae_title", title)


def _mistake(
    tree: Tree, set_by: Mapping[tuple[str, ...], str], origin: str, error: Any
) -> tuple[str, str]:
    """Where it was set with the key's path, and what is wrong with it."""
    path = _key_path(error["loc"])
    key = _said(tree, path)
    variable = _variable(set_by, path)
    place = f"{variable}: {key}" if variable else f"{origin}: {key}"
    match error["type"]:
        case "extra_forbidden":
            close = difflib.get_close_matches(path[-1], _known(tree, path), n=1)
            parent = "" if path[0] in LISTS else ".".join([*path[:-1], ""])
            if close:
                return place, f"unknown key; did you mean {parent}{close[0]}?"
            homes = [name for name in NodeConfig.model_fields if path[-1] in _keys_in(name)]
            where = " or ".join(f"[{name}]" for name in homes if [name] != path[:-1])
            return place, f"unknown key; it belongs below {where}" if where else (
                "unknown key; remove it"
            )
        case "missing":
            table = path[0].removesuffix("s") if path[0] in LISTS else f"[{'.'.join(path[:-1])}]"
            return place, f"missing; every {table} needs it"
        case "union_tag_not_found" | "union_tag_invalid":
            *kinds, last = (json.dumps(kind) for kind in LISTS[path[0]])
            return f"{place}: kind", f"must be {', '.join(kinds)} or {last}"
        case "path_type":
            return place, "must be a path"
        case "model_type" | "model_attributes_type":
            table = f"[[{path[0]}]]" if path[0] in LISTS else f"[{key}]"
            return place, f"must be a table, {table}"
        case "tuple_type":
            return (
                place,
                f"must be a list of tables, [[{key}]]" if key in LISTS else "must be a list",
            )
        case "literal_error" | "enum":
            return place, f"must be {error['ctx']['expected']}".replace("'", '"')
        case "ip_any_network" if (network := _network_of(error["input"])) is not None:
            return place, f"{error['input']} is an address within a network; write {network}"
        case kind if kind in _IN_WORDS:
            bounds = error.get("ctx") or {}
            whole = {
                name: int(of) if of == int(of) else of
                for name, of in bounds.items()
                if isinstance(of, float)
            }
            return place, _IN_WORDS[kind].format_map({**bounds, **whole})
        case _:
            message = str(error["msg"]).removeprefix("Value error, ")
            return place, message.replace("Input should be", "must be", 1)


_IN_WORDS: Mapping[str, str] = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "must be a whole number"),
    **dict.fromkeys(("float_parsing", "float_type", "finite_number"), "must be a number"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "must be true or false"),
    "string_type": 'must be text, in quotation marks: "..."',
    "string_too_short": "must not be empty",
    "string_too_long": "must have {max_length} characters at most",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "ip_any_network": "must be an address or a network, such as 10.1.2.3 or 10.1.0.0/16",
}
"""What is wrong with a value, in the words of who wrote it; no text has to be longer than one."""


def _network_of(written: object) -> str | None:
    """The network of an address with a prefix; None if that is not what was written."""
    try:
        return str(ip_network(written, strict=False)) if isinstance(written, str) else None
    except ValueError:
        return None


def _key_path(location: tuple[str | int, ...]) -> list[str]:
    """The key, and in a list the number; without the branches of a union that pydantic names."""
    kinds = LISTS.get(str(location[0])) if location else None
    if kinds is None:
        depth = 3 if location[:2] in _TABLES else 2
        key, within = location[:depth], location[depth:]
    else:
        untagged = [part for n, part in enumerate(location) if n != 2 or part not in kinds]
        key, within = tuple(untagged[:3]), tuple(untagged[3:])
    return [str(part) for part in (*key, *(part for part in within if isinstance(part, int)))]


def _said(tree: Tree, path: list[str]) -> str:
    """The key in words: of several tables the one of that name, or the second, counted from 1."""
    if len(path) < 2 or path[0] not in LISTS:
        return _numbered(path) or "the file"
    table = path[0].removesuffix("s")
    entry = tree[path[0]][int(path[1])]
    name = entry.get("name") if isinstance(entry, dict) else None
    which = (
        f"{table} {name}"
        if isinstance(name, str) and name
        else f"{table} number {int(path[1]) + 1}"
    )
    return ": ".join([which, _numbered(path[2:])]) if path[2:] else which


def _numbered(path: list[str]) -> str:
    """The key; what stands in a list by its number, counted from 1."""
    if len(path) > 1 and path[-1].isdecimal():
        return f"{'.'.join(path[:-1])}, number {int(path[-1]) + 1}"
    return ".".join(path)


def _or(whats: list[str]) -> str:
    """What is wrong, when each branch of a union says what it would take."""
    first, *others = dict.fromkeys(whats)
    return " or ".join([first, *(other.removeprefix("must be ") for other in others)])


def _variable(set_by: Mapping[tuple[str, ...], str], path: list[str]) -> str | None:
    """The environment variable that the mistake came from."""
    for keys, name in sorted(set_by.items(), key=lambda item: -len(item[0])):
        if path and all(a == b for a, b in zip(keys, path, strict=False)):
            return name
    return None


def _known(tree: Tree, path: list[str]) -> list[str]:
    if len(path) == 1:
        return list(NodeConfig.model_fields)
    if path[0] in LISTS:
        kind = tree[path[0]][int(path[1])]["kind"]
        return list(LISTS[path[0]][kind].model_fields)
    section = _TABLES.get(tuple(path[:-1])) or type(getattr(NodeConfig(), path[0]))
    return list(section.model_fields)
