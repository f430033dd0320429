"""Find the documents that a query looks for."""

from llmar_env.tasks.task import Task

TASK = Task(
    name="retrieval",
    title="find the documents that a query looks for",
    data="phrasebook:en",
    environments=("LLMAR/Retrieve-v0",),
    measure="ndcg_at_10",
)
