"""The loop, the stages, the losses: from nodules to weights."""
