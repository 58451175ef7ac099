"""The packing by which a rebuilt file is the shipped one, where their contents are the same.

Imports the readers of `judge.packing`, and the values and packings of builders.
"""

from pipelines.explain.packing.recover import PACKING, PackingFinding, recover_packing

__all__ = ["PACKING", "PackingFinding", "recover_packing"]
