"""Webhook deliveries without actors: signing, lanes, breaker, gate, and the client that makes an attempt."""
