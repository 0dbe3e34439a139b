"""What comes in: from a sender's bytes to a durable file and its row."""
