"""Webhook mechanics without actors: signing, lanes, the breaker, and the client that makes one attempt."""
