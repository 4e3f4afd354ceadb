"""The HTTP front: the v1 contract and its extensions, from one route table.

`http/routing.py` says what a route is; one module per group of the contract under `routes/` declares its
routes; `app.py` makes a quart-trio application of them and `http/openapi.py` the document; `http/errors.py`
maps every error, at one boundary.
"""
