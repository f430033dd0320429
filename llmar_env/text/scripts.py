"""Writing systems that need their own word segmentation."""

__all__ = ["HAN"]

HAN = "\u2e80-\u2fdf\u3005\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Chinese characters, for use within the brackets of a regular expression, as in f"[{HAN}]"."""
