"""A support bot with several blocks: what is known of the customer, their orders, and rules that nobody overwrites.

A learner of one's own fills the block `orders` and leaves the rest to the one that comes with the package. Run:
`python examples/customer_support.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from tempfile import TemporaryDirectory

from model import chat_model

from ai_memory_integrations import Append, Block, BlockSpec, Learned, Memory, Message
from ai_memory_integrations.learning.extractive import ExtractiveLearner

BLOCKS: list[BlockSpec | str] = [
    "human",
    "summary",
    BlockSpec(label="orders", description="Orders the customer spoke of."),
    BlockSpec(
        label="policies",
        description="Rules of the shop.",
        value="Returns within 30 days.\nRefunds go to the card that paid.",
        read_only=True,
    ),
]
CONVERSATION = [
    "Hi, my name is Sarah and I live in Lisbon.",
    "My order #A-1042 came with a broken handle.",
    "I'd like my money back for #A-1042, please.",
    "Thanks! And is #B-77 on its way?",
]


class SupportLearner:
    """The extractive learner, and order numbers."""

    name = "support"
    policy = ExtractiveLearner.policy

    def __init__(self) -> None:
        self._rules = ExtractiveLearner()

    def learn(self, blocks: Sequence[Block], messages: Sequence[Message]) -> Learned:
        learned = self._rules.learn([block for block in blocks if block.label != "orders"], messages)
        known = next(block.value for block in blocks if block.label == "orders")
        new: dict[str, Append] = {}
        for message in messages:
            for order in re.findall(r"#[A-Z]-\d+", message.text if message.role == "user" else ""):
                if order not in known:
                    new.setdefault(order, Append(label="orders", text=order, message_ids=(message.id,)))
        return learned.model_copy(update={"edits": (*learned.edits, *new.values())})


def main(path: str) -> None:
    with Memory(path, learner=SupportLearner(), blocks=BLOCKS, subject_id="customer_17") as memory:
        model = chat_model()
        for said in CONVERSATION:
            answer = model(
                [
                    {"role": "system", "content": f"You answer for a shop.\n\n{memory.prompt()}"},
                    {"role": "user", "content": said},
                ]
            )
            run = memory.add_messages([{"role": "user", "content": said}, {"role": "assistant", "content": answer}])
            memory.wait_for_run(run)
            print(f"Customer: {said}\nBot:      {answer}\n")
        print(memory.prompt())
        for version in memory.memory_history("orders")[1:]:
            (message_id,) = version.message_ids
            said = next(each.text for each in memory.list_messages() if each.id == message_id)
            print(f"\n'orders' version {version.version}, learnt from: {said}")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(f"{folder}/memory.db")
