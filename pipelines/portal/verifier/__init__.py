"""The verifier of bundles that runs in a browser: the verdicts of `samebits evidence check`.

Small ES modules without a framework, of named exports and imports alone: joining them needs no
parser. Whatever cannot be checked in a browser is not proven, and
never a pass. That both give the same verdicts is tested on the whole corpus of altered bundles.
"""

from pipelines.portal.verifier.modules import modules

__all__ = ["modules"]
