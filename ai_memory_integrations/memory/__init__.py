"""`Memory`, the one door to what is remembered of a subject: one class, a module for each part of it."""

from __future__ import annotations

from ai_memory_integrations.memory.memory import Memory, checked_memory

__all__ = ["Memory", "checked_memory"]
