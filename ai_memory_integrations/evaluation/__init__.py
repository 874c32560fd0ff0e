"""How well a learner learns: labelled conversations, played through a real memory and judged without a model.

    from ai_memory_integrations.evaluation import evaluate, read_conversations

    report = evaluate(my_learner, read_conversations())
    print(report.total.recall, report.total.precision)

On the command line: `ai-memory eval-learning`.
"""

from ai_memory_integrations.evaluation.conversations import (
    Conversation,
    Kind,
    Label,
    Session,
    Turn,
    read_conversations,
)
from ai_memory_integrations.evaluation.judging import Verdict, judge
from ai_memory_integrations.evaluation.playing import evaluate
from ai_memory_integrations.evaluation.report import Miss, Report, Tally

__all__ = [
    "Conversation",
    "Kind",
    "Label",
    "Miss",
    "Report",
    "Session",
    "Tally",
    "Turn",
    "Verdict",
    "evaluate",
    "judge",
    "read_conversations",
]
