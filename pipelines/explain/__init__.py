"""Why two files differ: a first look at their members, causes, and diffoscope in a container.

Imports the judge's values; runs after the verdict and never changes it.
"""
