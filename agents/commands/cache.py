"""The command that shows and clears the cache of embedded texts."""

from __future__ import annotations

from dataclasses import dataclass

from ..options import Options, refuse
from .terminal import report_console

__all__ = ["Cache"]


@dataclass(frozen=True, kw_only=True)
class Cache(Options):
    """Show the cache of embedded texts, or clear it."""

    cache: str = "auto"
    """Folder of the cache; by default LLMAR_CACHE, or llmar in the user's folder of caches."""
    clear: bool = False
    """Delete everything that the cache has written."""

    def __post_init__(self) -> None:
        """Check all options."""
        super().__post_init__()
        if self.cache == "none":
            refuse("cache", "must be a folder here, found 'none'")

    def run(self) -> None:
        """Print the models with the number and size of their texts; or what was freed.

        Raises:
            ValueError: LLMAR_CACHE is none: there is no cache.
            OSError: a file cannot be deleted.
        """
        from rich.filesize import decimal
        from rich.table import Table

        from llmar_env.text.embedders import open_cache

        opened = open_cache(self.cache)
        if opened is None:
            raise ValueError("LLMAR_CACHE is none: there is no cache; name its folder by --cache")
        console = report_console()
        if self.clear:
            freed = decimal(opened.clear())
            console.print(f"{freed} freed in {opened.folder}", markup=False, soft_wrap=True)
            return
        models = opened.models()
        table = Table("embedder", "texts", "size", title=f"Cache in {opened.folder}")
        for one in models:
            table.add_row(one.name, f"{one.texts:,}", decimal(one.bytes))
        total = sum(one.bytes for one in models)
        table.add_section()
        table.add_row("all", f"{sum(one.texts for one in models):,}", decimal(total))
        console.print(table)
