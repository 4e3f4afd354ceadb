"""X's platforms on loopback."""
