"""Durable state: the `Store` contract, its SQLite implementation, and sealing."""
