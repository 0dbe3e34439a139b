"""The same facts as pages to be read outside a viewer."""
