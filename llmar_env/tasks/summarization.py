"""Say what a text of several sentences comes to, in one."""

from llmar_env.metrics import rouge_measures
from llmar_env.tasks.task import Task, first_sentence

TASK = Task(
    name="summarization",
    title="say in one sentence what several come to",
    data="phrasebook:en/summaries",
    environments=("LLMAR/Align-v0", "LLMAR/Generate-v0"),
    measure="p_at_1",
    of_texts=rouge_measures,
    baselines={"lead_1": first_sentence},
)
