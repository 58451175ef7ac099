"""Which readers the jail of a session has. Names alone: it starts before anything is imported."""

READERS = (
    "builders.inputs.archive_member:MEMBER",
    "builders.inputs.source_archive:ARCHIVE",
    "builders.locators.dsc:COMPANIONS",
    "builders.packing.repack:REPACK",
    "pipelines.explain.quickdiff:LOOK",
    "pipelines.explain.packing.recover:PACKING",
    "pipelines.infer.debian.deb_content:DEB",
    "pipelines.infer.script.parts:PARTS",
    "pipelines.infer.wheel.comparison:COMPARISON",
    "pipelines.infer.wheel.facts:REQUIREMENTS",
    "pipelines.infer.wheel.facts:SDIST",
    "pipelines.infer.wheel.facts:WHEEL",
    "pipelines.judge.copied:CONTENTS",
    "pipelines.judge.copied:FILES",
    "pipelines.judge.normalizers.find_fields:FIELDS",
    "pipelines.judge.signatures.graft_readers:PACK",
    "pipelines.judge.signatures.graft_readers:PLAN",
    "pipelines.judge.signatures.graft_readers:UNPACK",
    "pipelines.judge.signatures.graft_readers:VERIFY",
    "pipelines.judge.signatures.shown:SHOW",
)
