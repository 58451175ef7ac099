"""The pages, one module each: a model, a pure function that makes it, and a template.

May import what the portal may.
"""
