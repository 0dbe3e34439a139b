"""The Storage SCP: objects that arrive over DIMSE."""
