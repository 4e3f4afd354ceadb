"""Which process may act for what (leases), and who is woken when something changes (doorbells)."""
