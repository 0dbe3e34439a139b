"""Findings in, DICOM objects out: the structured report and the visual explanation.

This floor knows pydicom, highdicom and numpy; it knows neither torch nor the network, the database
or the queue.  Everything is a pure function of its arguments: UIDs, dates and versions come in, the
same arguments give the same bytes.
"""
