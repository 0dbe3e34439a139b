"""What the people who run the node ask it."""
