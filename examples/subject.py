"""Memory of anything, not only of users: a project with blocks of its own, their history, and a second project that
sees nothing of it. Run: `python examples/subject.py`."""

from __future__ import annotations

from tempfile import TemporaryDirectory

from ai_memory_integrations import Memory


def main(path: str) -> None:
    with Memory(path) as memory:
        alpha = memory.for_subject("project_alpha")
        alpha.initialize_subject()
        alpha.initialize_memory("spec", "What is to be built.", "A bridge for bicycles.")
        alpha.initialize_memory("decisions", "What was decided, with dates.", char_limit=500)
        alpha.initialize_memory("summary", "A short running summary of the conversation.", char_limit=1000)

        alpha.append_memory("decisions", "2026-03-02: steel, not concrete")
        alpha.append_memory("decisions", "2026-03-09: two lanes")
        alpha.replace_memory("decisions", "two lanes", "three lanes")
        run = alpha.add_messages([{"role": "user", "content": "We open the bridge in June, after the load test."}])
        alpha.wait_for_run(run)
        print("The prompt of project_alpha:\n")
        print(alpha.prompt())

        print("\nThe versions of its block 'decisions':")
        for version in alpha.memory_history("decisions"):
            print(f"  {version.version} by {version.actor}: {version.value.replace(chr(10), ' | ') or '(empty)'}")
        restored = alpha.restore_memory("decisions", 3)
        print(f"Restored, as version {restored.version}: {restored.value.splitlines()[-1]}")

        print(f"\nproject_beta finds of the bridge: {memory.search('project_beta', 'bridge')}")
        print(f"project_alpha finds: {alpha.search(query='bridge')}")
        receipt = alpha.delete_subject()
        print(f"Deleted: {receipt.blocks if receipt else 0} blocks; subjects now: {memory.list_subjects()}")


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(f"{folder}/memory.db")
