"""Memory in PostgreSQL. `store.PostgresStore` is its whole; importing it needs the extra `postgres`."""
