"""Wire protocols without I/O, both roles, and none of our words: bytes in, values out."""
