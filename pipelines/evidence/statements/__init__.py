"""The statements that samebits signs, by what they are about, and one reader for them all.

Imports the values of evidence and judge that statements hold.
"""
