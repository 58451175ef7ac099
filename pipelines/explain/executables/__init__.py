"""What differs between two executables: their sections, functions and strings, and what moved.

Imports builders.core, the headers that pipelines.judge reads, and the fields of formats.
"""
