"""The signer: takes evidence, finds the verdict again by itself, and signs only what agrees.

It is the only holder of the key for statements. In a center it is a process of its own behind a
socket; by default the same code runs in the process that verified.
"""

from pipelines.signer.client import SocketSigner
from pipelines.signer.evidence import Evidence
from pipelines.signer.local import CenterSigner, LocalSigner

__all__ = ["CenterSigner", "Evidence", "LocalSigner", "SocketSigner"]
