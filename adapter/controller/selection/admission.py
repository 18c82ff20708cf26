"""What a runtime's formats may not say beside the others of its scope (reference: KServe 1.8).

So that it is never chance which of two runtimes is chosen. Texts begin as KServe's do.
"""

from collections.abc import Iterable, Iterator

from adapter.controller.manifests.complaints import Complaint
from adapter.controller.selection.formats import told
from adapter.domain.specs import RuntimeSpec, SupportedFormat


def priority_complaints(new: RuntimeSpec, existing: Iterable[RuntimeSpec]) -> tuple[Complaint, ...]:
    """What is wrong with the priorities of a runtime that is made or changed; not those of a disabled one.

    Of those that exist, the ones of other scopes do not matter, and neither does the runtime's old self.
    """
    if new.disabled:
        return ()
    complaints = [*_different_within(new)]
    for other in existing:
        if _is_rival(new, other):
            complaints += _same_as(new, other)
    return tuple(complaints)


def _different_within(new: RuntimeSpec) -> Iterator[Complaint]:
    """One format, two priorities. The first entry speaks for those that follow."""
    first = dict[str, int | None]()
    for index, entry in enumerate(new.formats):
        if not entry.auto_select:
            continue
        before = first.setdefault(entry.name, entry.priority)
        if None not in (before, entry.priority) and before != entry.priority:
            yield Complaint(
                field=f"spec.supportedModelFormats[{index}].priority",
                text=f"different priorities assigned for the model format {entry.name}: "
                f"{entry.priority} here, {before} before; give it the same each time",
            )


def _is_rival(new: RuntimeSpec, other: RuntimeSpec) -> bool:
    """Whether both may be chosen for one model. Runtimes that list no protocols are rivals of none."""
    return (
        other.identity.namespace == new.identity.namespace
        and other.name != new.name
        and not other.disabled
        and not other.identity.deleted
        and other.multi_model is new.multi_model
        and not set(other.protocols).isdisjoint(new.protocols)
    )


def _same_as(new: RuntimeSpec, other: RuntimeSpec) -> Iterator[Complaint]:
    for index, entry in enumerate(new.formats):
        if any(_collide(entry, theirs) for theirs in other.formats):
            where = f" in namespace {new.identity.namespace}" if new.identity.namespace else ""
            yield Complaint(
                field=f"spec.supportedModelFormats[{index}].priority",
                text=f"same priority assigned for the model format {told(entry.name, entry.version)} "
                f"in the runtimes {other.name} and {new.name}{where}; give one of them another than "
                f"{entry.priority}",
            )


def _collide(one: SupportedFormat, other: SupportedFormat) -> bool:
    """Both may be chosen for the same models, and none is preferred."""
    return (
        one.auto_select
        and other.auto_select
        and one.name.lower() == other.name.lower()
        and one.version == other.version
        and one.priority is not None
        and one.priority == other.priority
    )
