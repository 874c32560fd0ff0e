"""Which words say which fact: a module of rules for each subject, joined by `table`.

A rule is tried on one clause at a time (see `statements`), always from its start, so that "my friend says I live in
Rome" never meets a rule for "I live in". Spelling is settled before: `I'm`, `I've`, `don't`, `can't`, `isn't`,
`anymore`. A pattern captures the rest of the clause as `v`; the rule's shape (see `values`) cuts it to the value, or
refuses it. `{adv}` stands for adverbs that change nothing, `{we}` for "I" and "we"; `rule` lists all such names.

To teach the extractive learner something new, add a line to the module of its subject. A new label also needs a kind
(see `facts`) and, where "Label: value" is no sentence, a way to be told (see `telling`).
"""

from __future__ import annotations

from ai_memory_integrations.learning.rules.forgetting import forget
from ai_memory_integrations.learning.rules.table import state

__all__ = ["forget", "state"]
