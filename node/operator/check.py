"""`m3node check`: is everything there that the node needs?  Findings, not output.

Nothing is started, made or changed: whoever looks, and be it root, leaves nothing behind.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from node.config import (
    DatabaseConfig,
    DestinationConfig,
    DicomwebDestination,
    DicomwebSource,
    DimseDestination,
    DimseSource,
    FhirDestination,
    Hl7Destination,
    ModelConfig,
    NodeConfig,
    SourceConfig,
    as_destination,
    sets_nothing,
    toml_value,
    unknown_variables,
)
from node.core.errors import DatabaseBehind, NodeError
from node.core.states import State
from node.keeping import identity
from node.operator import kept
from node.operator.certificates import host_tls, https, receiver_tls
from node.operator.findings import Finding, fail, ok, warn
from node.operator.people import people
from node.operator.web import web_server
from node.persistence.database import parsed_url, sqlite_file
from node.persistence.store import Store
from node.words import in_words_with_place


class Answering(Protocol):
    """A destination, or a source, as far as the check needs it."""

    def verify(self) -> None:
        """It answers; raises NodeError if it does not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How the check reaches what it looks at; `node.app` binds it to the node's own parts.

    environ : the variables that the configuration was read with
    """

    open_database: Callable[[DatabaseConfig], Store]
    connect: Callable[[DestinationConfig], Answering]
    connect_source: Callable[[SourceConfig], Answering]
    port_is_free: Callable[[str, int], bool]
    served_by: Callable[[Path], int | None]
    """The process of the node that serves the storage directory; None if none does."""
    environ: Mapping[str, str]


def check_node(config: NodeConfig, reach: Reach) -> Iterator[Finding]:
    """Every finding, as it is made; a check that fails does not stop the others."""
    yield ok("configuration", "read; every key is known")
    yield from variables(reach.environ)
    runs = partial(_runs, config, reach)
    checks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("storage", partial(kept.storage, config.storage)),
        ("storage", partial(kept.owners, config)),
        ("retention", partial(kept.retention, config.storage, config.retention)),
        ("secrets", partial(kept.secrets, config)),
        ("database", partial(_database, config, reach)),
        ("model", partial(_model, config.model)),
        ("transfer syntaxes", _transfer_syntaxes),
        ("receiver", partial(_receiver, config, reach)),
        (
            "web",
            partial(web_server, config.web, reach.port_is_free, runs=runs),
        ),
        ("users", partial(_people, config, reach)),
        ("destinations", partial(_any_destination, config)),
    ]
    if config.receiver.tls is not None:
        checks.append(("receiver.tls", partial(receiver_tls, config.receiver.tls)))
    for destination in config.destinations:
        what = f"destination {destination.name}"
        checks.append((what, partial(_destination, destination, reach)))
        match destination:
            case DicomwebDestination():
                checks.append((what, partial(_profile, destination)))
                checks.append((what, partial(https, what, destination)))
            case DimseDestination():
                checks.append((what, partial(_profile, destination)))
                checks.append((what, partial(host_tls, what, destination)))
            case FhirDestination():
                checks.append((what, partial(https, what, destination)))
            case Hl7Destination():
                checks.append((what, partial(_in_the_clear, what, destination)))
                checks.append((what, partial(host_tls, what, destination)))
    for source in config.sources:
        what = f"source {source.name}"
        checks.append((what, partial(_source, source, reach)))
        match source:
            case DicomwebSource():
                checks.append((what, partial(https, what, source)))
            case DimseSource():
                checks.append((what, partial(host_tls, what, source)))
    for what, check in checks:
        try:
            yield from check()
        except Exception as error:
            yield fail(what, in_words_with_place(error))


def variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Those that are meant for the node and set nothing; never what stands in them."""
    for name, nearest in unknown_variables(environ).items():
        yield warn("configuration", sets_nothing(name, nearest))


def _database(config: NodeConfig, reach: Reach) -> Iterator[Finding]:
    known = identity.identity_in(config.storage.directory)
    try:
        store = reach.open_database(config.database)
    except DatabaseBehind as error:
        file = sqlite_file(config.database.url)
        if file is not None and not file.exists() and known is not None:
            yield fail(
                "database",
                f"{file} is gone, and {config.storage.directory} has been used with it: m3node "
                "restore puts it back, m3node rebuild makes it again from the stored objects",
            )
        else:
            yield warn("database", str(error))
        return
    try:
        identity.require_same(store, config.storage.directory)
        counts = store.counts()
        queued = store.list_deliveries(states=[State.QUEUED])
    finally:
        store.close()
    url = parsed_url(config.database.url).render_as_string(hide_password=True)
    yield ok("database", f"{url} answers, its schema is up to date")
    for work, states in counts.items():
        if dead := {str(s): n for s, n in states.items()}.get("dead"):
            yield warn(
                "database",
                f"{dead} dead ({work}): see m3node {work} list --state dead",
            )
    named = {each.name for each in config.destinations}
    failed = Counter(row.destination for row in queued if row.waits)
    for destination in sorted(failed.keys() & named):
        yield warn(
            "database",
            f"deliveries to {destination!r} have failed and are tried again "
            f"({failed[destination]}): m3node delivery list --state queued says why",
        )
    waiting = Counter(row.destination for row in queued)
    for destination in sorted(waiting.keys() - named):
        yield warn(
            "database",
            f"deliveries ({waiting[destination]}) wait for {destination!r}, which no "
            "[[destinations]] names: nothing sends them until one does; m3node delivery cancel "
            f"--destination {destination} ends them",
        )


def _people(config: NodeConfig, reach: Reach) -> Iterator[Finding]:
    try:
        store = reach.open_database(config.database)
    except DatabaseBehind:  # it is said above; nobody is in what is not there
        yield from people(config.web, None, now=datetime.now(UTC))
        return
    try:
        yield from people(config.web, store, now=datetime.now(UTC))
    finally:
        store.close()


def _model(config: ModelConfig) -> Iterator[Finding]:
    from m3net.predict import choose_device
    from m3net.weights import verify

    card = verify(config.weights)
    device = choose_device(config.device)
    name = f"{card.name} {card.version} ({card.preset}) on {device}, {config.precision}"
    if card.trained:
        yield ok("model", f"{name}; weights unaltered")
    else:
        yield warn("model", f"{name}: UNTRAINED, its probabilities are no results")


def _transfer_syntaxes() -> Iterator[Finding]:
    from node.dicom.transfer_syntaxes import decodable, missing

    if absent := missing():
        yield fail(
            "transfer syntaxes",
            f"cannot decode {', '.join(absent)}; install python-gdcm, pyjpegls, pylibjpeg-openjpeg",
        )
    else:
        yield ok("transfer syntaxes", f"{len(decodable())} can be decoded")


def _runs(config: NodeConfig, reach: Reach) -> bool:
    """Whether the node of this configuration runs: what holds its ports is it, or is another's."""
    return reach.served_by(config.storage.directory) is not None


def _receiver(node: NodeConfig, reach: Reach) -> Iterator[Finding]:
    config = node.receiver
    ports = config.ports.values()
    place = f"{config.ae_title} at {config.host}:{' and '.join(map(str, ports))}"
    if all(reach.port_is_free(config.host, port) for port in ports):
        yield ok("receiver", f"{place} is free to listen on")
    elif not _runs(node, reach):
        yield fail(
            "receiver",
            f"{place} is taken, and not by this node, which does not run: stop what listens there "
            "(another node, perhaps), or choose another receiver.port",
        )
    else:
        try:
            own = as_destination(config)
            reach.connect(own).verify()
            yield ok("receiver", f"{place} is served already: {own.ae_title} answers a C-ECHO")
        except NodeError as error:
            yield fail("receiver", f"{place} is taken by something else: {error}")
    for key in ("allowed_calling_ae_titles", "allowed_peers"):
        if getattr(config, key) is None:
            yield warn("receiver", f"receiver.{key} is absent: everyone may send")


def _any_destination(config: NodeConfig) -> Iterator[Finding]:
    if not config.destinations:
        yield warn("destinations", "none is configured: results stay in the storage directory")


def _profile(config: DimseDestination | DicomwebDestination) -> Iterator[Finding]:
    settled = asdict(config.settled())
    says = ", ".join(f"{key} = {toml_value(value)}" for key, value in settled.items())
    yield ok(f"profile of {config.name}", f"{config.profile}: {says}")


def _in_the_clear(what: str, config: Hl7Destination) -> Iterator[Finding]:
    if not config.tls:
        yield warn(what, "is told over MLLP: results and the patient's name travel in the clear")


def _destination(config: DestinationConfig, reach: Reach) -> Iterator[Finding]:
    reach.connect(config).verify()
    yield ok(f"destination {config.name}", "answers")


def _source(config: SourceConfig, reach: Reach) -> Iterator[Finding]:
    reach.connect_source(config).verify()
    yield ok(f"source {config.name}", "answers")
