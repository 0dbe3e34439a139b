"""What of DICOM this node speaks: SOP classes, transfer syntaxes, statuses."""
