"""Reply to what was said."""

from llmar_env.metrics import candidate_measures
from llmar_env.tasks.task import Task

TASK = Task(
    name="dialogue",
    title="reply to what was said",
    data="phrasebook:en/replies",
    environments=("LLMAR/Align-v0", "LLMAR/Generate-v0"),
    measure="recall_at_1_of_100",
    of_vectors=candidate_measures,
)
