"""The portal: static pages of all that the centers found, each with a machine-readable twin.

It is a view: nothing reads it back as evidence. May import all of `pipelines` but flows, services
and the commands; reads `public/` of the stores alone.
"""
