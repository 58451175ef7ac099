"""One verification, from a recipe to logged statements: session, steps and publication.

Imports everything from the signer down.
"""
