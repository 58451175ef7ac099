"""Which readers the jail of a session has. Names alone: it starts before anything is imported."""

INPUT_READERS = (
    "builders.inputs.archive_member:MEMBER",
    "builders.inputs.source_archive:ARCHIVE",
    "builders.locators.dsc:COMPANIONS",
)
"""Those of inputs: a jail with these alone starts in half the time."""
READERS = (
    *INPUT_READERS,
    "builders.packing.repack:REPACK",
    "pipelines.explain.packing.recover:PACKING",
    "pipelines.explain.quickdiff:LOOK",
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
    "pipelines.judge.updates.appliers:APPLY",
    "pipelines.judge.updates.appliers:MEMBERS",
    "pipelines.judge.updates.manifests.read_manifest:MANIFEST",
    "pipelines.rules.engines.packed_rules:PACK_RULES",
    "pipelines.rules.engines.packed_rules:PACK_SAMPLES",
    "pipelines.rules.reading:CHANGES",
)
