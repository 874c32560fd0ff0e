"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# The small model takes most of a second to load in every process: tests of search by meaning ask for it by name.
os.environ.setdefault("AI_MEMORY_EMBEDDER", "none")
os.environ.pop("LETTA_API_KEY", None)
os.environ.pop("AI_MEMORY_URL", None)

settings.register_profile(
    "project", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("project")
