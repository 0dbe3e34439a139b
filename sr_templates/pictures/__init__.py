"""What is drawn: pages, panels and legends, from values that hold no patient."""
