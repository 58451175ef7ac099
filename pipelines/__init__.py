"""What happens to the outputs of a rebuild: judged, signed, stored, joined and shown.

Imports `builders`. Its packages form layers: each imports only what stands below it.
"""
