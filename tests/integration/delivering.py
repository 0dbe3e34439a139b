"""A courier with one job's results, and a small PACS for it to deliver to."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, evt

from node.config import DeliveryConfig, DestinationConfig, DimseDestination
from node.core.results import CaptureVariant, ReportVariant
from node.outbound.deliverer import Courier
from node.persistence.rows import DeliveryRow
from tests.integration.queueing import NOON, open_node, queue_results
from tests.results import SC_MULTI, SC_SINGLE, SR, SR_3D

MULTI, SINGLE = CaptureVariant.MULTI_FRAME, CaptureVariant.SINGLE_FRAME
REPORT_3D, REPORT = ReportVariant.COMPREHENSIVE_3D, ReportVariant.COMPREHENSIVE
IMPLICIT, EXPLICIT = ImplicitVRLittleEndian, ExplicitVRLittleEndian
QUICK = DeliveryConfig(retry_base_s=10, retry_cap_s=100, poll_s=0.02)


class Clock:
    def __init__(self) -> None:
        self.now = NOON + timedelta(minutes=1)

    def __call__(self) -> datetime:
        return self.now


class Queue:
    """One job's results, and a courier to one destination whose time we set."""

    def __init__(self, tmp_path: Path, destination: DestinationConfig, **options: Any) -> None:
        self.clock, self.destination = Clock(), destination
        self.store, self.spool, self.intake = open_node(tmp_path / "node")
        queue_results(self.store, self.spool, self.intake, [destination.name], **options)
        self.courier = Courier(
            QUICK, destination, self.store, self.spool, clock=self.clock, rng=Random(1)
        )

    def row(self) -> DeliveryRow:
        (row,) = self.store.list_deliveries()
        return row

    def try_again(self) -> bool:
        self.clock.now += timedelta(hours=1)
        return self.courier.deliver_one()


def dimse(port: int, *, ae_title: str = "STORESCP", name: str = "pacs", **more: Any) -> Any:
    return DimseDestination(
        name=name, host="127.0.0.1", port=port, ae_title=ae_title, timeout_s=5, **more
    )


@contextmanager
def pacs(
    sop_classes: tuple[str, ...] = (SR_3D, SR, SC_MULTI, SC_SINGLE),
    answers: tuple[int | Dataset, ...] = (),
    transfer_syntaxes: tuple[str, ...] = (EXPLICIT,),
) -> Iterator[tuple[int, list[str]]]:
    """A small Storage SCP that gives these answers first and success afterwards."""
    received: list[str] = []
    pending = list(answers)

    def on_store(event: evt.Event) -> int | Dataset:
        received.append(str(event.request.AffectedSOPInstanceUID))
        return pending.pop(0) if pending else 0x0000

    ae = AE(ae_title="STORESCP")
    for uid in sop_classes:
        ae.add_supported_context(uid, list(transfer_syntaxes))
    server = ae.start_server(
        ("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, on_store)]
    )
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()
