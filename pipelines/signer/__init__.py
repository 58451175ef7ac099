"""The signer: checks evidence, recomputes the verdict, and signs only what agrees.

It alone holds the key for statements. In a center it is a process of its own behind a socket; by
default the same code runs in the process that verified. May import the center and what is below.
"""

from pipelines.signer.local_signer import LocalSigner
from pipelines.signer.orders import CenterSigner, Evidence
from pipelines.signer.wire import SocketSigner

__all__ = ["CenterSigner", "Evidence", "LocalSigner", "SocketSigner"]
