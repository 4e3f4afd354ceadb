"""Deliveries beside other people's, in one run against one sink: the client alone, and the durable road to
it.

Subjects are processes of their own, on one core, that read a `Job` and print one `Measured`:

    client_ours                      `HttpDeliveryClient`, plain and TLS
    client_httpx, client_sslstream   httpx on trio, and `trio.SSLStream` with httptools
    pipeline_ours, pipeline_naive    platform update -> durable event -> signed webhook
    node/client.cjs, pipeline.cjs    undici; better-sqlite3, crypto and undici

Each peer says at its top what it does and what it does not do. `__main__` runs the rounds and prints the
table. What is compared is CPU per operation: requests per second depend on who else uses the machine.
"""
