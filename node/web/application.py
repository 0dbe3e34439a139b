"""The application: every route, and what each request passes through."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from node.web import api, dicomweb, health, metrics, viewer
from node.web.access import login
from node.web.access.entry import DICOMWEB, HEALTH, Access, is_below
from node.web.page.routes import routes as pages
from node.web.problems import Guarded, Problem, answer_problem
from node.web.services import Services


def application(services: Services) -> Starlette:
    """What answers requests.

    Route functions that are no coroutines run in threads, so they may wait for disk and database.
    """
    origins = services.config.web.allowed_origins
    return Starlette(
        routes=[
            *health.routes(services),
            *metrics.routes(services),
            *login.routes(services),
            Mount(DICOMWEB, routes=dicomweb.routes(services)),
            Mount("/api", routes=api.routes(services)),
            *pages(services),
            *viewer.routes(services),
        ],
        middleware=[
            Middleware(
                _OfMachines,
                allow_origins=origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Accept", "Authorization", "Content-Type"],
                expose_headers=["Warning", "Location", "Content-Location"],
            ),
            Middleware(Guarded),
            Middleware(Access, services=services),
        ],
        exception_handlers={Problem: answer_problem, HTTPException: answer_problem},
    )


class _OfMachines(CORSMiddleware):
    """Pages of other origins read DICOMweb and health, and nothing else."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path = scope.get("path", "")
        if is_below(path, DICOMWEB) or path in HEALTH:
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)
