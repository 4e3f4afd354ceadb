"""One account: its connection, its outbox, its login, and what is shown of it."""
