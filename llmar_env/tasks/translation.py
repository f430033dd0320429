"""Say a text in another language."""

from llmar_env.tasks.task import Task

TASK = Task(
    name="translation",
    title="say the text in another language",
    data="phrasebook:de-en",
    environments=("LLMAR/Align-v0", "LLMAR/Generate-v0"),
    measure="p_at_1",
)
