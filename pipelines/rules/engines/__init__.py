"""What the engines of detection rules catch with two rule sets: run in a container, compared here.

Rules and samples are foreign: they are packed by the jail, unpacked and used in a container without
network and rights, and what comes back is read as text of somebody else. Imports the
readers of rule files; the driver imports nothing of samebits.
"""
