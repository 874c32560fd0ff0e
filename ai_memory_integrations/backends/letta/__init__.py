"""Subjects, blocks and passages on a Letta server, with an SQL journal beside it."""
