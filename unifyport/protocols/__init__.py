"""Wire protocols without I/O, client and server side, free of the gateway's types: bytes in, values out."""
