"""Durable state: one `Store` protocol, SQLite behind it, and what belongs to it (leases, doorbells, sealing)."""
