"""The weights that ship with the node, and everything said of them."""
