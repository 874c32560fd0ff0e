"""`python -m ai_memory_integrations.cli` is `ai-memory`."""

from ai_memory_integrations.cli import main

main()
