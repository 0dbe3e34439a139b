"""The application: every route, and what each request passes through."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount

from node.web import dicomweb, health
from node.web.admitted import Admitted
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
            Mount("/dicom-web", routes=dicomweb.routes(services)),
        ],
        middleware=[
            Middleware(
                CORSMiddleware,
                allow_origins=origins,
                allow_methods=["GET", "POST"],
                allow_headers=["Accept", "Content-Type"],
                expose_headers=["Warning", "Content-Location"],
            ),
            Middleware(Guarded),
            Middleware(Admitted, networks=services.config.web.allowed_peers),
        ],
        exception_handlers={Problem: answer_problem, HTTPException: answer_problem},
    )
