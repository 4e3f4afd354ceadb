"""What WhatsApp's multi-device protocol adds to Noise, stanzas and Signal: frames, certificates, pairing,
media, secrets.

Both sides of everything are here: the connector plays a linked device, the sandbox the platform and the
phone. No I/O.
"""
