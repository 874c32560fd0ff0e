from ai_memory_integrations.backends.sqlite.store import SQLiteStore as SQLiteStore
