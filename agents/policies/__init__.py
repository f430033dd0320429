"""SB3 policies whose answers are directions."""

from .features import GRUFeatures, attach_texts
from .gru import GRUPolicy
from .off_policy import GRUSACPolicy, GRUTD3Policy
from .writer import WriterPolicy

__all__ = [
    "GRUFeatures",
    "GRUPolicy",
    "GRUSACPolicy",
    "GRUTD3Policy",
    "WriterPolicy",
    "attach_texts",
]
