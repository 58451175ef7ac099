"""The types of signed statements, one module each, and the reader of them all."""
