"""Outgoing connections: the address guard, name look-ups, HTTP clients, and the sockets of deliveries."""
