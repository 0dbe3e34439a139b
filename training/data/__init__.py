"""Nodules to learn from: where they lie, how they are cut, bent and divided."""
