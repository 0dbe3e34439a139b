"""What is asked for: what is missing of a study comes from a source."""
