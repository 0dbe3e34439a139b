"""The composition root: from the configuration to running parts, each with its own section.

Everything that is heavy (torch, pynetdicom, the HTTP client) is imported where it is needed, so
that each process carries only what it uses.
"""

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from m3net.errors import InferenceError, WeightsError
from node import __version__, logs
from node.config import DatabaseConfig, NodeConfig, StorageConfig
from node.core.completeness import StudyRules, WhenUnannotated
from node.core.device import MANUFACTURER, MODEL_NAME
from node.core.digest import analysis_id
from node.core.errors import ConfigError
from node.core.retry import LONGEST_ASKED_S
from node.logs import event
from node.persistence.database import parsed_url, sqlite_file
from node.persistence.private import make_folder, tighten
from node.persistence.rows import JobTerms, Outbox
from node.persistence.spool import Spool
from node.persistence.store import Store, open_store
from node.persistence.upgrading import Change
from node.process import life, orphans
from node.process.supervisor import EX_CONFIG
from node.watch.pulse import BEATS, Moved, Pulse
from node.watch.roles import SUPERVISOR
from sr_templates.version import TEMPLATE_VERSION

if TYPE_CHECKING:
    from node.core.objects import ResultSettings
    from node.inbound.intake import Intake
    from node.inbound.reading import Reading
    from node.operator.check import Reach


def now_utc() -> datetime:
    """The one clock; everything else is told the time."""
    return datetime.now(UTC)


def open_database(
    config: DatabaseConfig, *, patience_s: float | None = None, change: Change = Change.UPGRADE
) -> Store:
    """The store, on the newest schema.  Raises ConfigError.

    patience_s : how long a transaction waits for another process's to end
    change     : what may be done so that the schema is the newest
    """
    if config.password_file is None:
        return open_store(config.url, patience_s=patience_s, change=change)
    try:
        password = config.password_file.read_text(encoding="utf-8").partition("\n")[0]
        url = parsed_url(config.url).set(password=password)
    except OSError as error:
        raise ConfigError(
            f"database.password_file: {config.password_file} cannot be read: {error.strerror}"
        ) from None
    with_password = url.render_as_string(hide_password=False)
    return open_store(with_password, patience_s=patience_s, change=change)


def open_node_store(
    config: NodeConfig, *, change: Change, patience_s: float | None = None
) -> Store:
    """The store of the node's storage directory, and of no other; on the newest schema.

    change : what may be done to the database; if anything, it and the directory belong together
             from now on, if neither knows better

    Raises ConfigError.
    """
    from node.keeping import identity
    from node.keeping.restore import require_finished

    directory = config.storage.directory
    require_finished(directory)
    file = sqlite_file(config.database.url)
    if file is not None and not file.exists() and identity.identity_in(directory) is not None:
        raise ConfigError(
            f"there is no database at {file}, and {directory} has been used with one: put it back "
            "(m3node restore), or make it again from the stored objects (m3node rebuild)"
        )
    with ExitStack() as on_failure:
        store = open_database(config.database, patience_s=patience_s, change=change)
        on_failure.callback(store.close)
        if change in (Change.NONE, Change.LEAVE):
            identity.require_same(store, directory)
        else:
            identity.adopt(store, directory, now=now_utc())
        on_failure.pop_all()
    return store


def reach() -> "Reach":
    """How `m3node check` reaches the node's parts."""
    from node.operator.check import Reach
    from node.outbound.connect import connect
    from node.process.supervisor import port_is_free
    from node.pull.connect import connect as connect_source

    return Reach(
        open_database=partial(open_database, change=Change.NONE),
        connect=connect,
        connect_source=connect_source,
        port_is_free=port_is_free,
        served_by=orphans.holder_of,
        environ=os.environ,
    )


def spool_directory(config: StorageConfig) -> Path:
    """Where received objects and results lie, named by their content."""
    return config.directory / "spool"


def open_spool(config: StorageConfig) -> Spool:
    """The spool; its directories are made if they are missing."""
    make_folder(config.directory)
    tighten(config.directory)
    return Spool(spool_directory(config))


def open_intake(config: NodeConfig, store: Store) -> "Intake":
    """The seam from encoded bytes to the disk."""
    from node.inbound.intake import Intake

    return Intake(
        spool=open_spool(config.storage),
        store=store,
        min_free_bytes=int(config.storage.min_free_gb * 1e9),
        clock=now_utc,
        config=config.receiver,
    )


def open_reading(config: NodeConfig, store: Store) -> "Reading":
    """Whoever reads what stored objects say."""
    from node.inbound.reading import Reading

    return Reading(store, open_spool(config.storage), config=config.receiver)


def study_rules(config: NodeConfig) -> StudyRules:
    """When a study is complete."""
    return StudyRules(
        quiet_period_s=config.study.quiet_period_s,
        max_wait_s=config.study.max_wait_s,
        when_unannotated=WhenUnannotated(config.study.when_unannotated),
        sources=tuple(source.name for source in config.sources),
        max_fetches=config.pull.max_fetches,
        unannotated_expires_s=config.study.unannotated_expires_s,
    )


def analysis_id_of(config: NodeConfig) -> str:
    """Hex sha256 over everything but the study that a result depends on.

    The weights and what changes a probability, the template, the device's identity, the settings
    under [annotations] and [results], and the assumed character set.  Not what stands beside report
    and captures, and changes nothing of them.
    """
    from m3net.model_files import fingerprint

    return analysis_id(
        fingerprint=fingerprint(config.model.weights, config.model.precision),
        template_version=TEMPLATE_VERSION,
        settings={
            "annotations": config.annotations.model_dump(mode="json"),
            "results": config.results.model_dump(mode="json", exclude={"report_pdf"}),
            "assumed_character_set": config.receiver.assumed_character_set,
            "device": [MANUFACTURER, MODEL_NAME, __version__],
        },
    )


def job_terms(config: NodeConfig) -> JobTerms:
    """On what terms jobs are made under this configuration."""
    return JobTerms(analysis_id=analysis_id_of(config), max_attempts=config.worker.max_attempts)


def outbox_of(config: NodeConfig) -> Outbox:
    """To whom results go."""
    return Outbox(
        destinations=[each.name for each in config.destinations],
        max_attempts=config.delivery.max_attempts,
    )


def result_settings(config: NodeConfig) -> "ResultSettings":
    """How results look, and what is written beside report and captures."""
    from node.core.objects import ResultSettings

    return ResultSettings(
        report_series_number=config.results.report_series_number,
        capture_series_number=config.results.capture_series_number,
        max_frames=config.results.max_frames,
        maps=config.results.maps,
        max_capture_bytes=int(config.results.max_capture_mb * 1e6),
        indeterminate_half_width=config.results.indeterminate_half_width,
        manufacturer=MANUFACTURER,
        device_model=MODEL_NAME,
        device_serial=config.results.device_serial,
        software_version=__version__,
        judge_unlabelled=config.annotations.unlabelled == "judge",
        languages=config.annotations.languages,
        assumed_character_set=config.receiver.assumed_character_set,
        max_diameter_mm=config.annotations.max_diameter_mm,
        max_nodules=config.annotations.max_nodules,
        companions=frozenset().union(*(each.wishes().companions for each in config.destinations)),
    )


def node_name(config: NodeConfig) -> str:
    """What tells this node from others that tell of themselves to the same people."""
    return f"{config.receiver.ae_title} at {socket.gethostname()}"


def run_role(role: str, config: NodeConfig, *, reread: Callable[[], NodeConfig]) -> int:
    """Be one of the supervisor's processes until SIGTERM; returns the exit status.

    reread : the configuration as it is now; for a role that goes on when it has changed
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    orphans.die_with_parent()
    logs.configure(config.log, role=role)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to the whole group
    stop = Stop(reread)
    try:
        # `serve` has upgraded it; a program that is replaced while another runs leaves it alone.
        store = open_node_store(config, change=Change.MAKE, patience_s=_PATIENCE_S.get(role))
        losses: list[ConfigError] = []

        def when_lost(error: ConfigError) -> None:
            losses.append(error)
            stop.set()

        store.when_lost = when_lost
        now = now_utc()
        if released := store.release_leases(now=now):
            event("leases.released", number=released)
        store.close_senders_of_dead(now, starting=True)
        store.forget_pulses_of_dead()
        pulse = Pulse(
            store,
            role=role,
            every_s=config.watch.frozen_after_s / BEATS,
            clock=now_utc,
            beaten=lambda: life.show(config.storage.directory, role),
        )
        with pulse:
            _ROLES[role](config, store, stop, pulse.moved)
        store.close()
        if losses:
            raise losses[0]
    except (ConfigError, WeightsError, InferenceError) as error:
        event("process.cannot_run", level=logging.ERROR, error=error)
        return EX_CONFIG
    except Exception as error:
        event("process.crashed", level=logging.ERROR, error=error)
        return 1
    event("process.stopped")
    return 0


_PATIENCE_S = {"receiver": 10.0, "web": 10.0, "watcher": 5.0}
"""A sender that is asked to come again has to hear so before it gives up, mostly at 30 s; and who
watches is not to be taken for frozen."""


class Stop(threading.Event):
    """Set by SIGTERM; before its role holds anything, SIGTERM ends the process at once."""

    def __init__(self, reread: Callable[[], NodeConfig]) -> None:
        super().__init__()
        self._reread = reread
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

    def from_here_on(self) -> Self:
        """What is held is brought to its end; called when all that takes time to load is there."""
        # In a thread of its own: the main one may hold the event's lock at this very moment.
        signal.signal(
            signal.SIGTERM, lambda *_: threading.Thread(target=self.set, daemon=True).start()
        )
        return self

    def at_hang_up(self, take_over: Callable[[NodeConfig], None]) -> None:
        """At SIGHUP the configuration is read again and taken over; a bad one changes nothing."""

        def reload() -> None:
            try:
                take_over(self._reread())
            except ConfigError as error:
                event("reload.refused", level=logging.ERROR, error=error)

        signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=reload).start())


_SWITCH_S = 0.0005
"""Threads that only pass bytes on have their turn sooner: an echo is answered while many send."""


def _receive(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from node.inbound.dimse.receiver import Receiver

    del moved  # it waits to be called, and answers or does not
    receiver = Receiver(config.receiver, open_intake(config, store), store)
    sys.setswitchinterval(_SWITCH_S)

    def take_over(new: NodeConfig) -> None:
        logs.configure(new.log, role="receiver")
        receiver.admit(new.receiver)

    stop.at_hang_up(take_over)
    receiver.run(stop.from_here_on(), drain_s=0.8 * config.serve.drain_s)


def _work(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from m3net.weights import load_classifier
    from node.work import worker

    moved("the loading of the model")
    classifier = load_classifier(
        config.model.weights, device=config.model.device, precision=config.model.precision
    )
    card = classifier.card
    event("model.loaded", model=card.name, version=card.version, device=str(classifier.device))
    if not card.trained:
        event("model.untrained", level=logging.WARNING, says="its probabilities are no results")
    worker.run(
        config.worker,
        store=store,
        spool=open_spool(config.storage),
        analyst=worker.Analyst(classifier=classifier, settings=result_settings(config)),
        outbox=outbox_of(config),
        stop=stop.from_here_on(),
        compares=config.priors.enabled,
        moved=moved,
    )


def _deliver(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from node.outbound import deliverer

    if not config.destinations:
        event("deliverer.no_destination", level=logging.WARNING)
    deliverer.run(
        config.delivery,
        config.destinations,
        store,
        open_spool(config.storage),
        stop.from_here_on(),
        moved=moved,
    )


def _schedule(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from node.keeping.retention import Keeper
    from node.work import scheduler
    from node.work.planner import Planner

    reading, spool = open_reading(config, store), open_spool(config.storage)
    store.judge_waiting_again(now_utc())  # the rules may be others than those of the last run
    keeper = Keeper(store, spool, config.retention, clock=now_utc)

    def keep() -> None:
        keeper.step(within_s=_KEEP_S)

    scheduler.run(
        Planner(
            store,
            reading,
            rules=study_rules(config),
            terms=job_terms(config),
            most_tries=config.pull.max_attempts,
        ),
        reading=reading,
        store=store,
        spool=spool,
        keep=keep,
        look_every_s=config.study.look_every_s,
        longest_pause_s=max(
            LONGEST_ASKED_S,
            *(
                policy.cap_s
                for section in (config.worker, config.delivery, config.pull)
                for policy in section.retry_policies.values()
            ),
        ),
        clock=now_utc,
        stop=stop.from_here_on(),
        moved=moved,
    )


_KEEP_S = 0.25
"""So long files are removed before studies have their turn."""


def _pull(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from node.inbound.senders import Senders
    from node.pull import puller

    puller.run(
        config.pull,
        config.sources,
        store,
        open_intake(config, store),
        Senders(store, now_utc),
        stop.from_here_on(),
        max_object_bytes=config.receiver.max_object_mb << 20,
        moved=moved,
    )


def _watch(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from node.watch import watcher
    from node.watch.telling import tellers

    watcher.run(
        config,
        store,
        stop.from_here_on(),
        tellers=tellers(config.alerts),
        node=node_name(config),
        supervisor_file=life.file(config.storage.directory, SUPERVISOR),
        clock=now_utc,
        moved=moved,
    )


def _serve_web(config: NodeConfig, store: Store, stop: Stop, moved: Moved) -> None:
    from node.inbound.senders import Senders
    from node.watch.look import Lookout
    from node.web import server
    from node.web.application import application
    from node.web.services import Services

    del moved  # as the receiver
    services = Services(
        config=config,
        store=store,
        spool=open_spool(config.storage),
        intake=open_intake(config, store),
        senders=Senders(store, now_utc),
        clock=now_utc,
        lookout=Lookout(config, store, clock=now_utc),
        analysis_id=cache(lambda: analysis_id_of(config)),
        outbox=outbox_of(config),
        echo=lambda name: _echo(config, name),
        stopping=stop,
    )
    sys.setswitchinterval(_SWITCH_S)
    server.run(
        config.web,
        application(services),
        stop.from_here_on(),
        silence_s=config.receiver.network_timeout_s,
        drain_s=0.8 * config.serve.drain_s,
        meanwhile=services.senders.look_after,
    )


def _echo(config: NodeConfig, name: str) -> None:
    from node.outbound.connect import connect

    connect(next(each for each in config.destinations if each.name == name)).verify()


_ROLES: Mapping[str, Callable[[NodeConfig, Store, Stop, Moved], None]] = {
    "receiver": _receive,
    "worker": _work,
    "deliverer": _deliver,
    "scheduler": _schedule,
    "puller": _pull,
    "watcher": _watch,
    "web": _serve_web,
}
