"""What is measured on a GPU: `measure.py`, one script; its run on a CPU is a test."""
