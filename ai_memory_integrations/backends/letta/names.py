"""What subjects are called on a Letta server: pure.

Letta has no key for an agent: a tag finds it. The tag begins with a prefix of our own and ends with the subject as it
is, so no two subjects share one and no tag of somebody else is taken for ours.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass

from ai_memory_integrations.errors import ConfigurationError

SDK_TAG = "ai-memory-sdk"
_SDK_SUBJECT = "subj:"
_SDK_USER_NAME = "subconscious_agent_user_"
_SDK_SUBJECT_NAME = "subconscious_agent_subject_"
_NAMESPACE = re.compile(r"[A-Za-z0-9_\-]{1,64}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_\-]+")


@dataclass(frozen=True)
class Names:
    """Tags and names of one application's subjects; *namespace* keeps several on one server apart."""

    namespace: str = ""

    def __post_init__(self) -> None:
        if self.namespace and not _NAMESPACE.fullmatch(self.namespace):
            raise ConfigurationError(
                f"namespace={self.namespace!r} is not usable: 1 to 64 of A-Z, a-z, 0-9, '_' and '-'"
            )

    @property
    def all(self) -> str:
        """The tag of everything that belongs to this application."""
        return f"ami.{self.namespace}" if self.namespace else "ami"

    def tag(self, subject_id: str) -> str:
        """The tag of what belongs to one subject."""
        return f"{self.all}:subject:{subject_id}"

    def tags(self, subject_id: str) -> tuple[str, str]:
        return self.all, self.tag(subject_id)

    def agent(self, subject_id: str) -> str:
        """A name for people who look at the server: its characters are those that Letta takes."""
        readable = _UNSAFE.sub("_", subject_id)[:40]
        digest = hashlib.sha256(subject_id.encode()).hexdigest()[:8]
        return f"{self.all.replace('.', '-')}-{readable}-{digest}"

    def subject_of(self, tags: Collection[str]) -> str | None:
        """The subject whose tag is among *tags*."""
        prefix = self.tag("")
        return next((tag.removeprefix(prefix) for tag in tags if tag.startswith(prefix)), None)

    @property
    def adopts(self) -> bool:
        """Whether agents made by the AI Memory SDK belong here: it knows no namespaces."""
        return not self.namespace


def sdk_subject(name: str, tags: Collection[str]) -> str | None:
    """The subject of an agent that the AI Memory SDK made; None for any other agent.

    It has two styles: `[user, SDK_TAG]` and `[subj:subject, subject, SDK_TAG]`, and names that end with the user or
    subject. It finds agents by one raw tag, so that a user called as the SDK's own tag gets somebody else's agent:
    here the name and its tag, or all the tags, have to be as they were made.
    """
    if SDK_TAG not in tags:
        return None
    for prefix, tag in ((_SDK_USER_NAME, ""), (_SDK_SUBJECT_NAME, _SDK_SUBJECT)):
        named = name.removeprefix(prefix)
        if named != name and f"{tag}{named}" in tags:
            return named
    others = set(tags) - {SDK_TAG}
    for other in others:
        subject = other.removeprefix(_SDK_SUBJECT)
        if subject != other and others == {other, subject}:
            return subject
    return others.pop() if len(others) == 1 else None
