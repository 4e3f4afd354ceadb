"""The store on SQLite: one writing connection, reading ones beside it."""
