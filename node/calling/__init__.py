"""How this node calls others: connections that have an end, and words for what they fail with."""
