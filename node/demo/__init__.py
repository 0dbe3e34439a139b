"""A phantom that is its own patient, and the tour of the node that `m3node demo` gives."""
