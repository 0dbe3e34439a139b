"""Objects that come to a node which runs within the test."""

from io import BytesIO

from pydicom import Dataset

from node.inbound.intake import Intake
from node.persistence.rows import Arrival


def take_in(intake: Intake, dataset: Dataset) -> Arrival:
    """It is kept as any sender's object is."""
    buffer = BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return intake.accept(
        buffer.getvalue(),
        sop_class_uid=str(dataset.SOPClassUID),
        sop_instance_uid=str(dataset.SOPInstanceUID),
        transfer_syntax_uid=str(dataset.file_meta.TransferSyntaxUID),
        sender_id=None,
    )
