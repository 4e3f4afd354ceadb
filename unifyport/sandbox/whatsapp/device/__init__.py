"""The relay of WhatsApp's multi-device protocol, played on loopback for our devices and those of others."""
