"""Where a model is, why, why it is cold, and what would change it: the answer of `remesh explain`.

Whoever asks gathers the facts, of which those of other instances may be missing. Each answer has one sentence
for the cause and one for the cure.
"""

from dataclasses import replace
from typing import Final

from adapter.domain.errors import Code
from adapter.domain.ids import InstanceId
from adapter.domain.records import CopyState
from adapter.mesh import cures
from adapter.mesh.departures import departure
from adapter.mesh.explain_facts import Alias, ExplainedCopy, Explanation, Facts, Recalled, State
from adapter.mesh.failed_copies import CRASHES_MAX, Failures, coded, failures_of
from adapter.mesh.verdicts import ForwardTo, LoadAt, LoadHere, Reject, Route, ServeHere
from adapter.mesh.view import InstanceState
from adapter.mesh.wording import ago, in_bytes, listed, times, within

SIMILAR_MAX: Final = 3
"""So many names are offered in place of one that is not registered."""


def explain(facts: Facts) -> Explanation:
    """The answer to what was asked about `facts.name`."""
    if facts.record is None:
        return _unregistered(facts)
    answer = _of_alias(facts, _of_model(facts))
    return replace(
        answer,
        model=facts.model,
        copies=tuple([_copy(id_, facts) for id_ in sorted(facts.copies)]),
        next=_next(facts.route, facts.here),
        refused=_refused(facts),
    )


def _unregistered(facts: Facts) -> Explanation:
    similar = listed(list(facts.similar[:SIMILAR_MAX]))
    meant = f", or ask for what may have been meant: {similar}" if similar else ""
    if facts.alias is not None:
        cause = f"The alias {facts.name} stands for the model {facts.model}, which is not registered."
        cure = f"Register {facts.model}, or set the alias to another model with setVModel{meant}."
    else:
        cause = f"Nothing is registered under the name {facts.name}."
        cure = f"Register it with registerModel{meant}."
    return Explanation(
        name=facts.name,
        model=facts.model,
        state=State.UNREGISTERED,
        cause=cause,
        cure=cure,
        refused=_refused(facts),
    )


def _of_model(facts: Facts) -> Explanation:
    """The answer for the model that the name stands for, which is registered."""
    failures = failures_of(facts.copies, facts.now_ms)
    loaded = _in_state(facts, CopyState.LOADED)
    loading = _in_state(facts, CopyState.LOADING)
    if loaded:
        return _loaded(facts, loaded, failures)
    if loading:
        return _loading(facts, loading)
    if failures.crashes >= CRASHES_MAX and failures:
        return _quarantined(facts, failures)
    staying = [instance for instance in facts.instances.values() if not instance.record.draining]
    able = [instance for instance in staying if instance.id not in facts.lacking]
    if not able:
        return _no_instance(facts, staying)
    biggest = max(able, key=_capacity_bytes)
    if facts.size_bytes > biggest.record.capacity_bytes:
        return _fits_nowhere(facts, biggest)
    return _failed(facts, failures) if failures else _cold(facts)


def _loaded(facts: Facts, loaded: list[InstanceId], failures: Failures) -> Explanation:
    since = "; ".join([f"in {id_}, because {since}" for id_ in loaded if (since := _since(facts, id_))])
    cause = f"{facts.model} is loaded in {listed(list(loaded))}{f' ({since})' if since else ''}"
    if failures:
        elsewhere = listed(list(failures.by_instance))
        cause += f"; its load failed in {elsewhere}: {failures.texts[0]}"
    cure = (
        "Nothing need be done; registered with minCopies or pin it would stay even if others need the room."
    )
    if facts.record is not None and (facts.record.rules.pinned or facts.record.rules.copies_min):
        cure = "Nothing need be done: its registration keeps it loaded."
    return _answer(facts, State.LOADED, f"{cause}.", cure)


def _loading(facts: Facts, loading: list[InstanceId]) -> Explanation:
    told = []
    for id_ in loading:
        since = _since(facts, id_)
        state = facts.recalled.get(id_, Recalled()).state or "loading"
        asked = f"asked for {ago(facts.copies[id_].since_ms, facts.now_ms)}"
        told.append(f"{id_} ({state}, {asked}{f': {since}' if since else ''})")
    cure = "It will be there soon; calls wait for it."
    return _answer(facts, State.LOADING, f"{facts.model} is being loaded in {listed(told)}.", cure)


def _quarantined(facts: Facts, failures: Failures) -> Explanation:
    crashed = [id_ for id_, copy in facts.copies.items() if copy.crashes]
    until_ms = max([copy.until_ms for copy in failures.by_instance.values()])
    return _answer(
        facts,
        State.QUARANTINED,
        f"{facts.model} is quarantined, since the runtime ended {times(failures.crashes)} while it loaded or "
        f"answered it (in {listed(sorted(crashed))}); it is tried again {within(until_ms, facts.now_ms)}.",
        cures.OF_QUARANTINE,
    )


def _no_instance(facts: Facts, staying: list[InstanceState]) -> Explanation:
    model_type = facts.record.info.type if facts.record else ""
    if not staying:
        leaving = ": all that there are leave" if facts.instances else ""
        cause = f"There is no instance that could load {facts.model}{leaving}."
        return _answer(facts, State.NO_INSTANCE, cause, f"Start an instance for models of type {model_type}.")
    lacking = sorted({label for instance in staying for label in facts.lacking[instance.id]})
    return _answer(
        facts,
        State.NO_INSTANCE,
        f"No instance has all the labels that models of type {model_type} require, as {facts.model} is one; "
        f"missing are {listed(lacking)}.",
        f"Start an instance with these labels (MM_LABELS), or mend the rule for {model_type} in "
        "MM_TYPE_CONSTRAINTS or the type of the registration.",
    )


def _fits_nowhere(facts: Facts, biggest: InstanceState) -> Explanation:
    has_bytes = biggest.record.capacity_bytes
    return _answer(
        facts,
        State.FITS_NOWHERE,
        f"{facts.model} needs {in_bytes(facts.size_bytes)}, and the biggest instance that may hold it, "
        f"{biggest.id}, has {in_bytes(has_bytes)} for all of its models, "
        f"{in_bytes(facts.size_bytes - has_bytes)} less.",
        cures.for_size(facts.size_bytes, overhead_bytes=facts.overhead_bytes),
    )


def _failed(facts: Facts, failures: Failures) -> Explanation:
    instance, latest = next(iter(failures.by_instance.items()))
    code, text = coded(latest.failure)
    if latest.everywhere:
        again = f"it would fail alike everywhere, and is tried again {within(latest.until_ms, facts.now_ms)}"
    elif failures.refusal(facts.now_ms) is None:
        again = f"it is tried there again {within(latest.until_ms, facts.now_ms)}"
        if set(facts.instances) - set(failures.by_instance):
            again += ", and elsewhere at the next call"
    else:
        first_ms = min([copy.until_ms for copy in failures.by_instance.values()])
        again = (
            f"it failed in {len(failures.by_instance)} instances, and is tried again "
            f"{within(first_ms, facts.now_ms)}"
        )
    too_big = {coded(copy.failure)[0] for copy in failures.by_instance.values()} == {Code.OUT_OF_RANGE}
    return _answer(
        facts,
        State.FITS_NOWHERE if too_big else State.FAILED,
        f"The load of {facts.model} failed in {instance} {ago(latest.since_ms, facts.now_ms)} with "
        f"{code.name}: {text.rstrip('.')}; {again}.",
        cures.for_failure(code),
    )


def _cold(facts: Facts) -> Explanation:
    gone = [(r.departed_ms, id_) for id_, r in facts.recalled.items() if r.departed]
    if not gone:
        used_ms = facts.record.last_used_ms if facts.record else 0
        noted = f"; its last use is noted as {ago(used_ms, facts.now_ms)}" if used_ms else ""
        cause = f"No instance holds {facts.model}, and none remembers that it was asked for{noted}."
        return _answer(facts, State.COLD, cause, cures.LOAD_BEFORE)
    at_ms, instance = max(gone)
    recalled = facts.recalled[instance]
    went = departure(recalled.departed)
    return _answer(
        facts,
        State.COLD,
        f"The last copy of {facts.model}, in {instance}, {went.sentence}, {ago(at_ms, facts.now_ms)}.",
        cures.for_departure(went.why, recalled.size_bytes or facts.size_bytes),
    )


def _of_alias(facts: Facts, answer: Explanation) -> Explanation:
    """The same, with what there is to say of the alias that was asked about."""
    if facts.alias is None:
        return answer
    vmodel, name = facts.alias.record, facts.name
    if vmodel.target != vmodel.active:
        if answer.state not in (State.LOADED, State.LOADING, State.COLD):
            return replace(
                answer,
                cause=f"{name} stands for {vmodel.active}, and is to move to {vmodel.target}: {answer.cause}",
            )
        return _stuck(facts, facts.alias) if vmodel.failed else _moving(facts, facts.alias)
    beside = []
    if vmodel.canary and vmodel.canary_percent:
        beside.append(f"{vmodel.canary_percent} % of the calls go to {vmodel.canary}")
    if vmodel.shadow:
        beside.append(f"{vmodel.shadow} is sent a copy of each")
    aside = f" ({', and '.join(beside)})" if beside else ""
    return replace(answer, cause=f"{name} stands for {vmodel.active}{aside}: {answer.cause}")


def _stuck(facts: Facts, alias: Alias) -> Explanation:
    vmodel = alias.record
    counted = failures_of(alias.target_copies, facts.now_ms)
    failure = alias.failure or (counted.texts[0] if counted else "")
    code, text = coded(failure)
    why = f" with {code.name}: {text.rstrip('.')}" if failure else ""
    return _answer(
        facts,
        State.STUCK,
        f"{facts.name} still stands for {vmodel.active}, since the load of its target {vmodel.target} "
        f"failed{why}.",
        f"{cures.for_failure(code).rstrip('.')}; then set the alias to {vmodel.target} again with setVModel, "
        f"or back to {vmodel.active}.",
    )


def _moving(facts: Facts, alias: Alias) -> Explanation:
    vmodel = alias.record
    states = sorted({copy.state.value for copy in alias.target_copies.values()}) or ["not loaded yet"]
    return _answer(
        facts,
        State.MOVING,
        f"{facts.name} stands for {vmodel.active} until its target {vmodel.target} has as many copies "
        f"loaded; that one is {listed(states)}.",
        "It moves by itself; setVModel with force moves it at once.",
    )


def _answer(facts: Facts, state: State, cause: str, cure: str) -> Explanation:
    return Explanation(name=facts.name, state=state, cause=cause, cure=cure)


def _in_state(facts: Facts, state: CopyState) -> list[InstanceId]:
    return sorted([id_ for id_, copy in facts.copies.items() if copy.state is state])


def _since(facts: Facts, instance: InstanceId) -> str:
    return facts.recalled.get(instance, Recalled()).since


def _copy(instance: InstanceId, facts: Facts) -> ExplainedCopy:
    copy = facts.copies[instance]
    return ExplainedCopy(
        instance=instance,
        state=facts.recalled.get(instance, Recalled()).state or copy.state.value,
        because=copy.failure if copy.state is CopyState.FAILED else _since(facts, instance),
        since_ms=copy.since_ms,
        size_bytes=copy.size_bytes,
    )


def _next(route: Route | None, here: InstanceId) -> str:
    match route:
        case ServeHere(because=because):
            return f"answered by {here}: {because}"
        case ForwardTo(instance=instance, because=because):
            return f"forwarded to {instance}: {because}"
        case LoadHere(because=because):
            return f"loaded in {here}: {because}"
        case LoadAt(instance=instance, because=because):
            return f"loaded in {instance}: {because}"
        case Reject(code=code, text=text):
            return f"refused with {code.name}: {text}"
        case None:
            return ""


def _refused(facts: Facts) -> tuple[str, ...]:
    reasons = {id_: f"lacks the labels {listed(list(labels))}" for id_, labels in facts.lacking.items()}
    if facts.placement is not None:
        reasons.update(facts.placement.refused)
    return tuple([f"{id_}: {reasons[id_]}" for id_ in sorted(reasons)])


def _capacity_bytes(instance: InstanceState) -> tuple[int, InstanceId]:
    return instance.record.capacity_bytes, instance.id
