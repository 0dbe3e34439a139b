"""STOW-RS (PS3.18 10.5): instances are stored."""

from starlette.routing import BaseRoute

from node.web.services import Services


def routes(services: Services) -> list[BaseRoute]:
    """Its routes, relative to the base of the service."""
    del services
    return []
