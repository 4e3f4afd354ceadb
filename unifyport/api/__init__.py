"""The HTTP front: the v1 contract and its extensions, from one route table.

`routing.py` says what a route is; one module per group of the contract declares its routes; `app.py` makes a
quart-trio application of them and `openapi.py` the document; `errors.py` maps every error, at one boundary.
"""
