"""Deliveries beside peers, in one run against one sink: the client alone, and the whole durable pipeline.

Subjects are processes of their own, on one core, that read a `Job` and print one `Measured`:

    client_ours                      `HttpDeliveryClient`, plain and TLS
    client_httpx, client_sslstream   httpx on trio, and `trio.SSLStream` with httptools
    pipeline_ours, pipeline_naive    platform update -> durable event -> signed webhook
    node/client.cjs, pipeline.cjs    undici; better-sqlite3, crypto and undici

The top of each peer's file says what it does and what it does not do. `__main__` runs the rounds and prints
the table. It compares CPU per operation: requests per second depend on the other load of the machine.
"""
