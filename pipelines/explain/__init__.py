"""Why two files differ: a quick comparison, its named causes, and diffoscope in a container.

May import the judge's values and builders. It runs after the verdict and never changes it.
"""
