"""Readers of formats: what each field of a file says. They run in the jail.

May import builders.archives, and what reads a signature or a header for the judge.
"""

from pipelines.explain.format_fields import Format
from pipelines.explain.formats.ar_fields import AR
from pipelines.explain.formats.elf_fields import ELF
from pipelines.explain.formats.envelopes import ENVELOPES
from pipelines.explain.formats.pe_fields import PE
from pipelines.explain.formats.pyc_fields import PYC
from pipelines.explain.formats.rpm_fields import RPM
from pipelines.explain.formats.signature_fields import SIGNATURE
from pipelines.explain.formats.tar_fields import TAR
from pipelines.explain.formats.zip_fields import ZIP

FORMATS: tuple[Format, ...] = (AR, ELF, *ENVELOPES, PE, PYC, RPM, SIGNATURE, TAR, ZIP)
"""The first that both files are of is the one by which they are compared."""
