"""What the node says over HTTP: DICOMweb, and whether it is well."""
