"""The HTTP server.

http1, chunked      HTTP/1.1 without sockets            limits             all bounds
listener            accepts, opens and serves           connections        who may stay, who is overdue
connection          one connection, one task            transports, tls    what its bytes come through
exchange            what an application is given        asgi               the same for ASGI applications
proxy_protocol, forwarded   who the client is           hypercorn_front    the other server
"""
