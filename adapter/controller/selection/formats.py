"""What a runtime lists of a model's format. Names and versions are compared as text (KServe 1.4)."""

from collections.abc import Iterable

from adapter.domain.specs import ModelFormat, RuntimeSpec, SupportedFormat


def matching(
    runtime: RuntimeSpec, wanted: ModelFormat, *, automatic: bool = True
) -> tuple[SupportedFormat, ...]:
    """The entries that match: a format without a version matches each, one with it none that lacks it.

    `automatic`: of the entries that may be chosen without naming the runtime.
    """
    return tuple(
        entry
        for entry in runtime.formats
        if entry.name == wanted.name
        and (not wanted.version or entry.version == wanted.version)
        and (entry.auto_select or not automatic)
    )


def priority(runtime: RuntimeSpec, name: str) -> int | None:
    """How much the runtime wants models of this format; None: it does not say.

    As KServe has it, the first entry of the name speaks for all, whatever its version (KServe 1.6).
    """
    return next((entry.priority for entry in runtime.formats if entry.name == name), None)


def told(name: str, version: str | None) -> str:
    """A format, for people."""
    return f"{name} version {version}" if version else name


def told_all(entries: Iterable[SupportedFormat]) -> str:
    """Formats, for people, each once."""
    return ", ".join(dict.fromkeys(told(entry.name, entry.version) for entry in entries))
