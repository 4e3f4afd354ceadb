"""The HTTP front: the v1 contract and its extensions, from one route table.

`http/routing.py` says what a route is; one module per group of the contract under `routes/` declares its
routes. `http/router.py` finds the route of a request, `http/dispatch.py` answers it, `http/quart_app.py` puts
both behind the HTTP server, and `http/openapi.py` writes the document. `http/errors.py` maps every error.
"""
