"""The world of LLMAR: text, alignment scores and the environments over them.

Importing the package registers its environments with Gymnasium.
"""

import gymnasium

__all__ = ["__version__"]

__version__ = "0.1.0"

gymnasium.register(
    id="LLMAR/Align-v0",
    entry_point="llmar_env.envs.align:AlignEnv",
    vector_entry_point="llmar_env.envs.align:AlignVectorEnv",
)
