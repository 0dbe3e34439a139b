"""The version of what the objects of this package say; part of every analysis id.

Raised whenever the same findings would make another object: then a study analysed again gets a new
report instead of a second object under an old UID.
"""

TEMPLATE_VERSION = "8"
