"""What the page shows and does, for programs: JSON below /api, described at /api/openapi.json.

`table` lists every operation once: the routes and the document are both made from it.
"""

from node.web.api.routes import routes

__all__ = ["routes"]
