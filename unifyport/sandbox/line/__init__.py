"""LINE, played on loopback."""
