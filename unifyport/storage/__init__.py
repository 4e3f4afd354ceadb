"""Durable state: the contract of the `Store`, SQLite behind it, and sealing."""
