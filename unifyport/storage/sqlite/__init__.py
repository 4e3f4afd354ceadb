"""The store on SQLite: one connection for writes, several for reads."""
