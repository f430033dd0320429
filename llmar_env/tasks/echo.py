"""Say the text itself: the easiest task, which shows that an agent learns at all."""

from llmar_env.tasks.task import Task

TASK = Task(
    name="echo",
    title="say the text itself",
    data="phrasebook:en",
    environments=("LLMAR/Align-v0", "LLMAR/Generate-v0"),
    measure="p_at_1",
)
