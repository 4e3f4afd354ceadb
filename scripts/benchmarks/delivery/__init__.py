"""What `suites/delivery.py` starts: processes that read a `Job` and print one `Measured`.

    client_ours                      `HttpDeliveryClient`, plain and TLS
    client_httpx, client_sslstream   httpx on trio, and `trio.SSLStream` with httptools
    pipeline_ours, pipeline_naive    platform update -> durable event -> signed webhook

Node's are `node/client.mjs` (undici) and `node/pipeline.mjs`. The top of each peer's file says what it does
and what it does not do. `sink.py` is their receiver.
"""
