"""The LLMAR world: texts, alignment scores and the environments built on them.

Importing the package registers its environments with Gymnasium.
"""

import gymnasium

__all__ = ["__version__"]

__version__ = "0.1.0"

for _name in ("Align", "Generate", "Refine", "Retrieve"):
    gymnasium.register(
        id=f"LLMAR/{_name}-v0",
        entry_point=f"llmar_env.envs.{_name.lower()}:{_name}Env",
        vector_entry_point=f"llmar_env.envs.{_name.lower()}:{_name}VectorEnv",
    )
