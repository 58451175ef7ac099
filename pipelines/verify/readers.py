"""Which readers the jail of a session has. Names alone: it starts before anything is imported."""

READERS = (
    "builders.inputs.source_archive:ARCHIVE",
    "pipelines.explain.first_look:LOOK",
    "pipelines.infer.debian.deb_content:DEB",
    "pipelines.infer.script.parts:PARTS",
    "pipelines.judge.copied:CONTENTS",
    "pipelines.judge.copied:FILES",
)
