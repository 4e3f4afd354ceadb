"""Local platforms: servers that speak each channel's wire protocol on loopback, for tests and development.

One control port plays the customers' side (`control.py`); one module per connection plays the platform. The
sandbox shares codecs with a channel's connector and nothing else: no actor, no store, no connector.
"""
