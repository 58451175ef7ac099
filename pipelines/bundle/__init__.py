"""A bundle: all that a center published about one run, in one file that travels.

Imports policy and what stands below it; no center and no signer.
"""

from pipelines.bundle.card import CenterCard, KeyEntry
from pipelines.bundle.layout import MAX_BUNDLE, MEDIA_TYPE, Bundle

__all__ = ["MAX_BUNDLE", "MEDIA_TYPE", "Bundle", "CenterCard", "KeyEntry"]
