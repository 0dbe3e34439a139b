"""What goes out: results to their destinations."""
