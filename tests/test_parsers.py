"""Which modules parse foreign bytes, and where: in the jail, or for a reason outside of it.

Read from the source alone, as in `tests.test_structure`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from pipelines.verify.readers import READERS
from tests.test_structure import modules, tree

LIBRARIES = {
    "bz2", "csv", "debian", "elftools", "email", "gzip", "html", "lzma", "pefile", "plistlib",
    "tarfile", "tomllib", "xml", "yaml", "zipfile", "zlib",
}  # fmt: skip
ARCHIVES = "builders.archives"
IN_JAIL = {
    ARCHIVES,
    "builders.inputs.archive_member",
    "builders.inputs.source_archive",
    "builders.locators.dsc",
    "builders.packing.compress",
    "builders.packing.repack",
    "builders.packing.tar_order",
    "builders.packing.xz",
    "builders.packing.zip_layout",
    "pipelines.explain.executables.alignment",
    "pipelines.explain.executables.data_parts",
    "pipelines.explain.executables.elf_file",
    "pipelines.explain.executables.embedded_strings",
    "pipelines.explain.executables.executable",
    "pipelines.explain.executables.go_build",
    "pipelines.explain.executables.image_comparison",
    "pipelines.explain.executables.moved_addresses",
    "pipelines.explain.executables.named_lines",
    "pipelines.explain.executables.pe_file",
    "pipelines.explain.executables.symbol_pairs",
    "pipelines.explain.format_fields",
    "pipelines.explain.first_look",
    "pipelines.explain.formats",
    "pipelines.explain.formats.ar_fields",
    "pipelines.explain.formats.elf_fields",
    "pipelines.explain.formats.envelopes",
    "pipelines.explain.formats.pe_fields",
    "pipelines.explain.formats.pyc_fields",
    "pipelines.explain.formats.rpm_fields",
    "pipelines.explain.formats.signature_fields",
    "pipelines.explain.formats.tar_fields",
    "pipelines.explain.formats.zip_fields",
    "pipelines.explain.meaning",
    "pipelines.explain.packing.layout_search",
    "pipelines.explain.packing.recover",
    "pipelines.explain.quickdiff",
    "pipelines.explain.spool",
    "pipelines.explain.texts",
    "pipelines.infer.archive",
    "pipelines.infer.debian.deb_content",
    "pipelines.infer.script.parts",
    "pipelines.infer.wheel.comparison",
    "pipelines.infer.wheel.facts",
    "pipelines.judge.copied",
    "pipelines.judge.normalizers.archive_parts",
    "pipelines.judge.normalizers.find_fields",
    "pipelines.judge.normalizers.program_parts",
    "pipelines.judge.normalizers.zip_parts",
    "pipelines.judge.packing",
    "pipelines.judge.packing.compressed_files",
    "pipelines.judge.packing.encoders",
    "pipelines.judge.signatures.apk",
    "pipelines.judge.signatures.apk_block",
    "pipelines.judge.signatures.apk_signer",
    "pipelines.judge.signatures.authenticode",
    "pipelines.judge.signatures.cab",
    "pipelines.judge.signatures.clamsign",
    "pipelines.judge.signatures.clearsigned",
    "pipelines.judge.signatures.cvd",
    "pipelines.judge.signatures.der",
    "pipelines.judge.signatures.graft_readers",
    "pipelines.judge.signatures.jar",
    "pipelines.judge.signatures.jar_signature",
    "pipelines.judge.signatures.kernel_module",
    "pipelines.judge.signatures.manifest",
    "pipelines.judge.signatures.msi",
    "pipelines.judge.signatures.nuget",
    "pipelines.judge.signatures.openpgp",
    "pipelines.judge.signatures.openpgp_keys",
    "pipelines.judge.signatures.openpgp_packets",
    "pipelines.judge.signatures.page_hashes",
    "pipelines.judge.signatures.pe",
    "pipelines.judge.signatures.pe_image",
    "pipelines.judge.signatures.pins",
    "pipelines.judge.signatures.pkcs7",
    "pipelines.judge.signatures.rauc",
    "pipelines.judge.signatures.raw_zip",
    "pipelines.judge.signatures.rpm",
    "pipelines.judge.signatures.rpm_header",
    "pipelines.judge.signatures.shown",
    "pipelines.judge.signatures.signed_cdiff",
    "pipelines.judge.signatures.signed_data",
    "pipelines.judge.signatures.tuf",
    "pipelines.judge.signatures.tuf_metadata",
    "pipelines.judge.signatures.unpacked",
    "pipelines.judge.signatures.zip_plan",
    "pipelines.judge.updates.appliers",
    "pipelines.judge.updates.bsdiff",
    "pipelines.judge.updates.cdiff",
    "pipelines.judge.updates.delta_io",
    "pipelines.judge.updates.ed_script",
    "pipelines.judge.updates.gvariant",
    "pipelines.judge.updates.ostree_delta",
    "pipelines.judge.updates.manifests.clamsign_manifest",
    "pipelines.judge.updates.manifests.rauc_manifest",
    "pipelines.judge.updates.manifests.read_manifest",
    "pipelines.judge.updates.manifests.tuf_manifest",
    "pipelines.judge.updates.ostree_objects",
    "pipelines.judge.updates.rpm_delta",
    "pipelines.judge.updates.rpm_files",
    "pipelines.judge.updates.rpm_payload",
    "pipelines.judge.updates.vcdiff",
    "pipelines.judge.updates.zstd_patch",
    "pipelines.rules.engines.packed_rules",
    "pipelines.rules.languages",
    "pipelines.rules.languages.capa",
    "pipelines.rules.languages.capa_features",
    "pipelines.rules.languages.clamav",
    "pipelines.rules.languages.directives",
    "pipelines.rules.languages.json_members",
    "pipelines.rules.languages.modsecurity",
    "pipelines.rules.languages.network_facts",
    "pipelines.rules.languages.network_files",
    "pipelines.rules.languages.network_options",
    "pipelines.rules.languages.osquery",
    "pipelines.rules.languages.rule_text",
    "pipelines.rules.languages.semgrep",
    "pipelines.rules.languages.sigma",
    "pipelines.rules.languages.sigma_condition",
    "pipelines.rules.languages.snort",
    "pipelines.rules.languages.spamassassin",
    "pipelines.rules.languages.suricata",
    "pipelines.rules.languages.yaml_documents",
    "pipelines.rules.languages.yara",
    "pipelines.rules.reading",
    "pipelines.rules.rule_files",
    "pipelines.rules.rule_set",
}
OUTSIDE = {
    "builders.core.yamlfile": "recipes and policies, which people review: no tags, size bounded",
    "builders.images.assemble": "the list that dpkg keeps of an image, whose packages are pinned",
    "builders.images.confined": "packages that a lock pins, read by a root that is nobody outside",
    "builders.images.definition": "writes YAML",
    "builders.images.layer": "writes a tar",
    "builders.images.lock": "writes YAML",
    "builders.images.oci_archive": "writes a tar",
    "builders.inputs.vault_archive": "headers of 512 bytes, each of which must be the one we write",
    "builders.locators.aptstate": "lists that apt has verified",
    "builders.locators.git_tree": "writes a tar",
    "builders.recipe.version_order": "versions that recipes name, which people review",
    "pipelines.center.backup": "writes a tar",
    "pipelines.center.restore": "a backup of the center's own",
    "pipelines.center.successor": "writes YAML",
    "pipelines.cli.formats.junit": "writes XML",
    "pipelines.flows.deploy": "a file of the product",
    "pipelines.infer.debian.builddepends": "fields of lists that apt has verified",
    "pipelines.infer.debian.buildinfo": "lines whose form is checked first, at most a MiB",
    "pipelines.infer.debian.source": "lists that apt has verified",
    "pipelines.policy.joint": "writes YAML",
    "pipelines.portal.badges": "writes SVG",
    "pipelines.portal.digest_index": "compresses the index",
    "pipelines.portal.feeds": "writes Atom",
    "pipelines.portal.pages.product": "compares versions",
    "pipelines.portal.strip": "writes SVG",
    "pipelines.rules.engines.driver": "runs in the container of the engines, and nowhere else",
    "pipelines.rules.rule_folder": "writes a tar",
    "pipelines.verify.rule_engines": "writes a tar",
}
"""What imports a parser and runs outside of the jail, and why it may."""
_IMPORTED = re.compile(rf"\b(?:import|from) (?:{'|'.join(sorted(LIBRARIES))})\b")
_BYTES = re.compile(r"\b(?:BinaryIO|ByteReader|IO|Path|Readable|bytes)\b")


def parses(dotted: str) -> bool:
    """Say whether a module imports a parser."""
    if not _IMPORTED.search(modules()[dotted].read_text()):
        return False  # spares the parsing of nearly all
    for node in ast.walk(tree(dotted)):
        match node:
            case ast.Import(names=aliases):
                names = [alias.name for alias in aliases]
            case ast.ImportFrom(module=str(name), level=0):
                names = [name]
            case _:
                continue
        if any(name.partition(".")[0] in LIBRARIES for name in names):
            return True
    return False


def of_archives(dotted: str) -> bool:
    return dotted == ARCHIVES or dotted.startswith(f"{ARCHIVES}.")


def in_jail(dotted: str) -> bool:
    return dotted in IN_JAIL or of_archives(dotted)


@cache
def functions(dotted: str) -> dict[str, ast.FunctionDef]:
    """Return the functions of a module; those of the archives stand in any module of theirs."""
    places = [m for m in modules() if of_archives(m)] if of_archives(dotted) else [dotted]
    return {
        node.name: node
        for place in places
        for node in tree(place).body
        if isinstance(node, ast.FunctionDef)
    }


def reads_here(function: ast.FunctionDef) -> bool:
    """Say whether a function takes bytes, or a file, and no jail to read it in."""
    given = [*function.args.args, *function.args.kwonlyargs]
    types = [ast.unparse(argument.annotation) for argument in given if argument.annotation]
    return any(map(_BYTES.search, types)) and "Jail" not in types


def imported(dotted: str) -> Iterator[tuple[str, str]]:
    """Yield module and name of what a module imports from those whose functions parse."""
    if not any(name in modules()[dotted].read_text() for name in IN_JAIL):
        return
    for node in ast.walk(tree(dotted)):
        if isinstance(node, ast.ImportFrom) and node.module and in_jail(node.module):
            yield from ((node.module, alias.name) for alias in node.names)


def test_every_parser_runs_in_the_jail_or_has_a_reason_not_to() -> None:
    found = {dotted for dotted in modules() if parses(dotted) and not of_archives(dotted)}
    assert found - IN_JAIL == OUTSIDE.keys()


def test_what_parses_in_the_jail_is_called_nowhere_else() -> None:
    called = []
    for dotted in modules():
        for module, name in () if in_jail(dotted) else imported(dotted):
            function = functions(module).get(name)
            submodule = f"{module}.{name}" in modules()
            if submodule or (function is not None and reads_here(function)):
                called.append((dotted, f"{module}.{name}"))
    assert called == []


def test_every_reader_is_of_a_module_that_parses_in_the_jail() -> None:
    declared = {
        f"{dotted}:{target.id}"
        for dotted, path in modules().items()
        if "Reader(" in path.read_text()
        for node in tree(dotted).body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) == "Reader"
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert declared == set(READERS)
    assert {name.partition(":")[0] for name in declared} <= IN_JAIL
