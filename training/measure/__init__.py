"""What weights are worth: metrics, intervals, calibration, costs."""
