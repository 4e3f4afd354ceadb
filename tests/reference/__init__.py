"""A channel that can do everything, on a platform of its own: what no real channel can do yet runs on it for
real.

`platform.py` is the platform, a small HTTP service on loopback with its own words; `connector.py` is the
connector, the worked example of docs/writing-a-connector.md. In the conformance run the channel takes the
place of a real one.
"""
