"""The LLMAR world: texts, alignment scores and the environments built on them.

Importing the package registers its environments with Gymnasium.
"""

import gymnasium

__all__ = ["__version__"]

__version__ = "0.1.0"


def _register(name: str, environment: str, **kwargs: str) -> None:
    gymnasium.register(
        id=f"LLMAR/{name}-v0",
        entry_point=f"llmar_env.envs.{environment.lower()}:{environment}Env",
        vector_entry_point=f"llmar_env.envs.{environment.lower()}:{environment}VectorEnv",
        kwargs=kwargs,
    )


for _name in ("Align", "Generate", "Refine", "Retrieve"):
    _register(_name, _name)

# Tasks over Align, from easy to hard: any answer gains by its cosine, or the right one alone does.
for _name, _data in (
    ("Echo", "phrasebook:en"),
    ("Translate", "phrasebook:de-en"),
    ("Summarize", "phrasebook:en/summaries"),
    ("Reply", "phrasebook:en/replies"),
):
    _register(_name, "Align", data=_data)
    _register(f"{_name}-dense", "Align", data=_data)
    _register(f"{_name}-sparse", "Align", data=_data, reward="p_at_1")
