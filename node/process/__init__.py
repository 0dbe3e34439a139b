"""The node's processes: started, watched, and none left behind."""
