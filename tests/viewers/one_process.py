"""The node's parts in this process: what is received is planned, analysed and delivered at once."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydicom import Dataset

from m3net.weights import load_classifier
from node import app
from node.config import (
    DatabaseConfig,
    DestinationConfig,
    ModelConfig,
    NodeConfig,
    StorageConfig,
    StudyConfig,
)
from node.core.states import State
from node.outbound.deliverer import Courier
from node.persistence.rows import Outbox
from node.work.planner import Planner
from node.work.worker import Analyst, Worker
from tests.taken_in import take_in


def answer(
    received: Sequence[Dataset],
    *,
    storage: Path,
    weights: Literal["default", "untrained"],
    destinations: Sequence[DestinationConfig],
) -> str:
    """Each destination has the results of the one study that was received; its headline."""
    config = NodeConfig(
        storage=StorageConfig(directory=storage, min_free_gb=0),
        database=DatabaseConfig(url=f"sqlite:///{storage / 'm3node.sqlite'}"),
        model=ModelConfig(weights=weights, device="cpu"),
        study=StudyConfig(quiet_period_s=0, max_wait_s=0),
        destinations=tuple(destinations),
    )
    storage.mkdir()
    store, spool = app.open_database(config.database), app.open_spool(config.storage)
    intake = app.open_intake(config, store)
    for dataset in received:
        take_in(intake, dataset)
    reading = app.open_reading(config, store)
    while reading.read(within_s=1):
        pass
    planner = Planner(store, reading, rules=app.study_rules(config), terms=app.job_terms(config))
    assert len(planner.plan(app.now_utc())) == 1
    names = [each.name for each in destinations]
    worker = Worker(
        config.worker,
        store=store,
        spool=spool,
        analyst=Analyst(
            classifier=load_classifier(weights, device="cpu"),
            settings=app.result_settings(config),
        ),
        outbox=Outbox(destinations=names, max_attempts=1),
    )
    assert worker.work_one()
    for destination in destinations:
        assert Courier(config.delivery, destination, store, spool).deliver_one()
    assert [row.state for row in store.list_deliveries()] == [State.DONE] * len(names)
    (job,) = store.list_jobs()
    return str(job.headline)
