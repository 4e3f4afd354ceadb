"""The bounds of a connection. Times are seconds, sizes are bytes."""

import attrs


@attrs.frozen
class Limits:
    head_seconds: float = 10.0  # from a connection's begin, or a head's first byte, to the end of the head
    idle_seconds: float = 65.0  # between two requests; longer than the 60 s of common load balancers
    write_seconds: float = 20.0  # in which a peer must take a piece of an answer ...
    write_bytes: int = 64 * 1024  # ... of at most so many bytes
    handshake_seconds: float = 10.0  # of TLS, and for the header of the PROXY protocol
    head_bytes: int = 16 * 1024  # request line and fields
    head_fields: int = 100
    read_bytes: int = 64 * 1024  # read at once, and so read ahead of the request in work
    unsent_bytes: int = 128 * 1024  # of an answer that the kernel holds for a peer that takes nothing
    body_rate: int = 2 * 1024  # a body that comes slower than this each second ...
    body_window: float = 5.0  # ... while we wait for so long is given up
    linger_bytes: int = 64 * 1024  # of a refused body that are read, so that the peer sees the refusal
    linger_seconds: float = 1.0
    stop_seconds: float = 26.0  # for requests in work when the front stops; a send may take 25 s


LIMITS = Limits()
