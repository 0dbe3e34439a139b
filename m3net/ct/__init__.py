"""CT images of either kind as one volume: what belongs together, where it lies, its HU."""
