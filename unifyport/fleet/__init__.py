"""Leases (which process may act for a resource) and doorbells (which wake tasks after a change)."""
