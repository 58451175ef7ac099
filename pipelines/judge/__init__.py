"""The judge: pure functions from the facts of a rebuild to a verdict on each artefact.

May import the values and archive readers of builders, and nothing else of pipelines. It reaches no
engine, scheduler or network.
"""
