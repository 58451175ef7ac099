"""A bundle: all that a center published about one run, in one file that travels."""

from pipelines.evidence.bundle.card import CenterCard, KeyEntry
from pipelines.evidence.bundle.layout import MAX_BUNDLE, MEDIA_TYPE, Bundle

__all__ = ["MAX_BUNDLE", "MEDIA_TYPE", "Bundle", "CenterCard", "KeyEntry"]
