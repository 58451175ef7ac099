"""Reviewed source: signed reviews, where they are kept, and how many count.

May import the rest of policy, and what policy may import.
"""
