"""The statements that samebits signs: one module each, and one reader for them all.

Imports the values of evidence and judge that statements hold.
"""
