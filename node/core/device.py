"""How results name the device that made them."""

MANUFACTURER = "m3node"
MODEL_NAME = "m3node"
"""Manufacturer's Model Name of every result, by which it is known even under coerced UIDs."""
