"""`ai-memory demo`: a conversation played on a file of its own, with a process that dies in the middle of it."""
