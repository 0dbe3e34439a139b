"""Rows of the store as they are shown: command line, page and JSON say the same of the same row.

Nothing here names a patient unless its caller says that it may.
"""
