"""The X API v2 connection: an authorized app of X, its activity stream or webhook, and direct messages."""
