"""LINE's device protocol, played on loopback."""
