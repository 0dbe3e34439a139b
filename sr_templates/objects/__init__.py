"""What is sent: one file a DICOM object, a pure function of findings and pictures."""
