"""Who of some nodules trains and who tests: by the frozen lists as far as they are of LIDC-IDRI."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from training.data.labels import Label
from training.data.splits import Part, SplitKind, lidc_split
from training.data.splits.make import split_by_nodule, split_by_patient

AnyLabel = TypeVar("AnyLabel", bound=Label)


def parts_of(
    labels: Sequence[AnyLabel], kind: SplitKind = SplitKind.PATIENT
) -> Mapping[Part, Sequence[AnyLabel]]:
    """The labels of each part, in order.

    Nodules of LIDC-IDRI are where the frozen list has them; by patient, so are cut-outs of its
    patients.  Nodules of other places are divided 70 / 10 / 20 with seed 0, in the order of names.

    Raises ValueError if the list by nodule is asked for and some have other names, if nodules of
    LIDC-IDRI are mixed with others, or if what is to be divided is of one class.
    """
    frozen = lidc_split(kind)
    if kind is SplitKind.PATIENT:
        of_patient = {nodule.split("/")[0]: part for nodule, part in frozen.items()}
        known = [of_patient.get(label.patient_id) for label in labels]
    else:
        known = [frozen.get(label.name) for label in labels]
    if not any(known):
        known = list(_divided(labels, kind))
    elif not all(known):
        raise ValueError(
            f"{known.count(None)} of {len(labels)} nodules are not in the frozen list by {kind}"
        )
    return {
        part: [label for label, own in zip(labels, known, strict=True) if own is part]
        for part in Part
    }


def _divided(labels: Sequence[Label], kind: SplitKind) -> Sequence[Part]:
    if any(label.patient_id.startswith("LIDC-IDRI-") for label in labels):
        raise ValueError(f"these nodules of LIDC-IDRI are not in the frozen list by {kind}")
    if len({label.malignant for label in labels}) < 2:
        raise ValueError("a division needs nodules of both classes")
    order = sorted(range(len(labels)), key=lambda i: labels[i].name)
    truth = [labels[i].malignant for i in order]
    if kind is SplitKind.PATIENT:
        divided = split_by_patient([labels[i].patient_id for i in order], truth)
    elif kind is SplitKind.NODULE:
        divided = split_by_nodule(truth)
    else:
        raise ValueError("the split of 675 test nodules is of LIDC-IDRI alone")
    parts = dict(zip(order, divided, strict=True))
    return [parts[i] for i in range(len(labels))]
