"""The smallest channel whose platform speaks sockets: WebSocket in, raw TCP out, both through the sandbox's
seam.

`frames.py` is the codec that both sides share; `platform.py` is the platform, `connector.py` the connector,
and `channel.py` the declaration, which names the platform as real channels do.
"""
