"""Bundles: everything public that a center has about one run, in one file.

May import the audit, policy, the log, evidence and storage; no center and no signer.
"""

from pipelines.bundle.layout import MAX_BUNDLE, MEDIA_TYPE, Bundle, CenterCard, KeyEntry

__all__ = ["MAX_BUNDLE", "MEDIA_TYPE", "Bundle", "CenterCard", "KeyEntry"]
