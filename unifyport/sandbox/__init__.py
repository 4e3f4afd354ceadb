"""Local platforms: servers that speak each channel's wire protocol on loopback, for tests and for building.

One control port plays the customers' side (`control.py`); one module per channel plays the platform. The
sandbox shares a channel's codec with its connector, and nothing else: no actor, no store, no connector.
"""
