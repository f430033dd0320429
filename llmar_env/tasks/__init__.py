"""Tasks by name: what is learned, on which data, and how it is measured.

A module of this package with a `TASK` is a task; adding one is adding a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules

from llmar_env.tasks.task import Task

__all__ = ["TASKS", "Task", "find_task"]


def _tasks() -> Mapping[str, Task]:
    modules = (import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__))
    found = [module.TASK for module in modules if hasattr(module, "TASK")]
    return {task.name: task for task in found}


TASKS: Mapping[str, Task] = _tasks()
"""The tasks by name."""


def find_task(name: str) -> Task:
    """The task of a name.

    Raises:
        ValueError: there is none; the message lists those there are.
    """
    if name not in TASKS:
        raise ValueError(f"no task {name!r}; there are {', '.join(TASKS)}")
    return TASKS[name]
