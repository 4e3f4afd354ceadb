"""A channel with a ratchet for each conversation and direction: a key is used once, on either side.

`chain.py` is the ratchet, `platform.py` the platform, which notes every key that is used twice for different
bytes, `connector.py` the connector, which keeps its state in `Session`, and `channel.py` the declaration.
"""
