"""Values and files that every package uses: digests, errors, run ids, units, strict YAML.

Imports nothing else of this project.
"""
