"""The yardstick of lists: a FastAPI route that answers nothing, behind the services' own token check.

`python -m tests.performance.empty_route PORT JWKS_URL`. Served as a service is, without database, trace
and metrics: what any route costs before it does anything.
"""

import sys

import uvicorn
import uvloop
from fastapi import FastAPI
from starlette.middleware import Middleware

from deploy.local.keys import AUDIENCE, ISSUER, TOKEN_LIFE_SECONDS
from deploy.local.ports import LOOPBACK
from shared.asgi import Guard
from shared.http import PREFIX
from shared.identity import TokenVerifier, keys_at

MAX_BODY_BYTES = 1_048_576


def empty_app(jwks_url: str) -> FastAPI:
    """One route, `/api/v1/nothing`, for who has a token."""
    verifier = TokenVerifier(keys_at(jwks_url), ISSUER, AUDIENCE, TOKEN_LIFE_SECONDS)
    app = FastAPI(
        docs_url=None,
        redoc_url=None,
        middleware=[Middleware(Guard, verifier=verifier, max_body_bytes=MAX_BODY_BYTES)],  # pyright: ignore[reportArgumentType]  # plain ASGI
    )

    @app.get(f"{PREFIX}/nothing")
    async def read_nothing() -> dict[str, str]:
        return {}

    return app


def main() -> None:
    """Serve until SIGTERM."""
    port, jwks_url = int(sys.argv[1]), sys.argv[2]
    uvloop.install()
    options = {"log_config": None, "access_log": False, "server_header": False, "date_header": False}
    uvicorn.run(empty_app(jwks_url), host=LOOPBACK, port=port, lifespan="off", **options)  # pyright: ignore[reportArgumentType]  # uvicorn types each option apart


if __name__ == "__main__":
    main()
