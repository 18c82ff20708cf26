"""Random sequences of set, delete and move: the counts of references are always what the aliases say."""

from collections import Counter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adapter.domain.errors import AdapterError
from adapter.domain.ids import ModelId
from adapter.domain.records import ModelInfo, ModelRecord, VModelRecord
from adapter.mesh.vmodels import (
    CopyCounts,
    Held,
    SetVModel,
    Split,
    Writes,
    delete_vmodel,
    models_of,
    models_wanted,
    moved,
    set_vmodel,
)

INFO = ModelInfo(type="t")
MODELS = st.sampled_from([ModelId(name) for name in "abcd"])
VMODELS = st.sampled_from(["u", "v"])
COUNTS = st.builds(CopyCounts, active=st.integers(0, 2), target=st.integers(0, 2))
SPLITS = st.none() | st.builds(
    Split, canary=MODELS | st.just(""), canary_percent=st.just(0), shadow=MODELS | st.just("")
)
ASKED = st.builds(
    SetVModel,
    vmodel=VMODELS,
    target=MODELS,
    info=st.none() | st.just(INFO),
    auto_delete=st.booleans(),
    force=st.booleans(),
    expected_target=MODELS | st.just(""),
    split=SPLITS,
)


class Aliases(RuleBasedStateMachine):
    """The registry as dictionaries; what a function wants written is written."""

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[ModelId, ModelRecord] = {}
        self.vmodels: dict[str, VModelRecord] = {}
        self.vanished: list[ModelId] = []

    @initialize(names=st.sets(MODELS))
    def register(self, names: set[ModelId]) -> None:
        self.models = {name: ModelRecord(info=INFO) for name in names}

    @rule(asked=ASKED, counts=COUNTS)
    def set(self, asked: SetVModel, counts: CopyCounts) -> None:
        held = self.held(asked.vmodel, *models_wanted(asked))
        try:
            writes = set_vmodel(asked, held, counts, now_ms=0, default_owner="")
        except AdapterError:
            return
        self.write(asked.vmodel, writes)
        record = self.vmodels[asked.vmodel]
        assert record.target == asked.target
        assert not asked.force or record.active == asked.target

    @rule(vmodel=VMODELS)
    def delete(self, vmodel: str) -> None:
        self.write(vmodel, delete_vmodel(self.held(vmodel), owner=""))
        assert vmodel not in self.vmodels

    @rule(vmodel=VMODELS, model=MODELS, counts=COUNTS)
    def move(self, vmodel: str, model: ModelId, counts: CopyCounts) -> None:
        self.write(vmodel, moved(self.held(vmodel), model, counts))

    def held(self, vmodel: str, *also: ModelId) -> Held:
        """As the ledger reads it: the alias, what it names, and what it is to name."""
        record = self.vmodels.get(vmodel)
        names = {*models_of(record), *also}
        return Held(vmodel=record, models={name: self.models.get(name) for name in names})

    def write(self, vmodel: str, writes: Writes | None) -> None:
        if writes is None:
            return
        for name, model in writes.models.items():
            if model is None:
                self.vanished.append(name)
                del self.models[name]
            else:
                self.models[name] = model
        if writes.vmodel is None:
            self.vmodels.pop(vmodel, None)
        else:
            self.vmodels[vmodel] = writes.vmodel

    @invariant()
    def references_are_what_the_aliases_say(self) -> None:
        named = Counter(name for record in self.vmodels.values() for name in models_of(record))
        assert {name: model.references for name, model in self.models.items()} == {
            name: named[name] for name in self.models
        }
        assert named.keys() <= self.models.keys(), "no alias names what is not there"

    @invariant()
    def what_is_to_be_forgotten_is_there_only_while_it_is_named(self) -> None:
        assert all(model.references for model in self.models.values() if model.auto_delete)

    @invariant()
    def what_is_to_stay_has_stayed(self) -> None:
        gone, self.vanished = self.vanished, []
        named = {name for record in self.vmodels.values() for name in models_of(record)}
        assert not named & set(gone)


TestAliases = Aliases.TestCase
TestAliases.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)
