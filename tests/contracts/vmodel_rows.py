"""What clients see of aliases (reference: ModelMesh core 1.4), and of our canary and shadow."""

from collections.abc import Mapping, Sequence

from tests.contracts.management_steps import (
    BAD,
    COPY,
    DEFAULT_OWNER,
    INFER,
    NO_ALIAS,
    QUICK,
    SLOW,
    Step,
    alias,
    at,
    call,
    info,
    loaded,
    register,
    set_,
    status,
)

VMODEL_ROWS: Mapping[str, Sequence[Step]] = {
    # 1.4, setVModel: what is refused.
    "set: without a name": [
        call("setVModel", {"targetModelId": "a"}, code="INVALID_ARGUMENT", text="vModelId")
    ],
    "set: without a target": [
        call("setVModel", {"vModelId": "v"}, code="INVALID_ARGUMENT", text="targetModelId")
    ],
    "set: a target without a type": [
        set_("v", "a", modelInfo=info(type_=""), code="INVALID_ARGUMENT", text="model type")
    ],
    "set: a target that is not there": [
        set_("v", "a", code="NOT_FOUND", text="model not found"),
        alias("v", NO_ALIAS),
    ],
    "set: a target that is another": [
        register("a"),
        set_(
            "v",
            "a",
            modelInfo=info(type_="u"),
            code="ALREADY_EXISTS",
            text="Model already exists with different attribute values",
        ),
        alias("v", NO_ALIAS),
    ],
    "set: only to be updated": [register("a"), set_("v", "a", updateOnly=True, code="NOT_FOUND", text="{v}")],
    "set: another owner's": [
        register("a"),
        set_("v", "a", owner="owner1"),
        set_(
            "v",
            "a",
            owner="owner2",
            code="ALREADY_EXISTS",
            text='vmodel {v} already exists with different owner "owner1"',
            exact=True,
        ),
    ],
    "set: expected to be elsewhere": [
        register("a"),
        register("b"),
        set_("v", "a"),
        set_("v", "b", expectedTargetModelId="c", code="FAILED_PRECONDITION"),
        alias("v", at("a")),
    ],
    "set: expected to be there": [
        register("a"),
        register("b"),
        set_("v", "a", expectedTargetModelId="b", code="FAILED_PRECONDITION"),
        alias("v", NO_ALIAS),
    ],
    # 1.4, setVModel: a new one.
    "set: a new alias is defined at once": [
        register("a"),
        set_("v", "a", answer=at("a", owner=DEFAULT_OWNER, activeModelStatus={"status": "NOT_LOADED"})),
        alias("v", at("a", owner=DEFAULT_OWNER)),
    ],
    "set: a new alias is its caller's": [register("a"), set_("v", "a", owner="x", answer={"owner": "x"})],
    "set: a target is created": [
        set_("v", "a", modelInfo=QUICK, answer=at("a")),
        status("a", "NOT_LOADED"),
    ],
    "set: a target that is as it should be": [
        register("a"),
        set_("v", "a", modelInfo=QUICK, answer=at("a")),
    ],
    "set: as expected, though it is new": [
        register("a"),
        set_("v", "a", expectedTargetModelId="a", answer=at("a")),
    ],
    "set: load now": [
        set_("v", "a", modelInfo=SLOW, loadNow=True, answer=at("a", activeModelStatus={"status": "LOADING"})),
        status("a", "LOADED", eventually=True),
    ],
    "set: a new one with sync waits for its target": [
        set_("v", "a", modelInfo=SLOW, sync=True, answer=at("a", activeModelStatus={"status": "LOADED"}))
    ],
    "set: a new one with sync, and no word of how to create it, does not wait": [
        register("a", SLOW),
        set_("v", "a", sync=True, answer=at("a", activeModelStatus={"status": "NOT_LOADED"})),
    ],
    "set: models and aliases have names of their own": [
        register("a"),
        set_("a", "a", answer=at("a")),
        call("deleteVModel", {"vModelId": "a"}),
        status("a", "NOT_LOADED"),
    ],
    # 1.4, setVModel: one that is there.
    "set: the same again is fine": [register("a"), set_("v", "a"), set_("v", "a", answer=at("a"))],
    "set: the same again, whatever was expected": [
        register("a"),
        set_("v", "a"),
        set_("v", "a", expectedTargetModelId="c", answer=at("a")),
    ],
    "set: its owner may, and whoever names none": [
        register("a"),
        set_("v", "a", owner="x"),
        set_("v", "a", owner="x", answer={"owner": "x"}),
        set_("v", "a", answer={"owner": "x"}),
    ],
    "set: at once, where the active model is not loaded": [
        register("a"),
        register("b"),
        set_("v", "a"),
        set_("v", "b", expectedTargetModelId="a", answer=at("b")),
        status("b", "NOT_LOADED"),
    ],
    "set: at once, where the target is loaded": [
        loaded("a"),
        loaded("b"),
        set_("v", "a"),
        set_("v", "b", answer=at("b", activeModelStatus={"status": "LOADED"})),
    ],
    "set: at once, by force": [
        loaded("a"),
        register("b", SLOW),
        set_("v", "a"),
        set_("v", "b", force=True, answer=at("b")),
    ],
    "set: on its way until the target is loaded": [
        loaded("a"),
        register("b", SLOW),
        set_("v", "a"),
        set_(
            "v",
            "b",
            answer=at(
                "a",
                "b",
                "TRANSITIONING",
                activeModelStatus={"status": "LOADED"},
                targetModelStatus={"status": "LOADING"},
            ),
        ),
        alias("v", at("a", "b", "TRANSITIONING")),
        alias("v", at("b"), eventually=True),
        status("b", "LOADED"),
    ],
    "set: sync waits until it is there": [
        loaded("a"),
        set_("v", "a"),
        set_("v", "b", modelInfo=SLOW, expectedTargetModelId="a", sync=True, answer=at("b")),
    ],
    "set: back to where it is": [
        loaded("a"),
        register("b", SLOW),
        set_("v", "a"),
        set_("v", "b", answer=at("a", "b", "TRANSITIONING")),
        set_("v", "a", answer=at("a")),
        call("unregisterModel", {"modelId": "b"}),
    ],
    "set: elsewhere before it was there": [
        loaded("a"),
        register("b", info("SIZE_1000_8000_0")),
        register("c"),
        set_("v", "a"),
        set_("v", "b", answer=at("a", "b", "TRANSITIONING")),
        set_("v", "c"),
        call("unregisterModel", {"modelId": "b"}),
        alias("v", at("c"), eventually=True),
    ],
    "set: a target that cannot be loaded": [
        loaded("a"),
        set_("v", "a"),
        set_(
            "v",
            "b",
            modelInfo=BAD,
            sync=True,
            answer=at(
                "a",
                "b",
                "TRANSITION_FAILED",
                targetModelStatus={"status": "LOADING_FAILED", "errors": ["INTERNAL: bad file"]},
            ),
        ),
        set_("v", "b", force=True, answer=at("b")),
    ],
    # 1.4, references.
    "references: a model that is to be forgotten goes with the last alias": [
        set_("v", "a", modelInfo=QUICK, autoDeleteTargetModel=True),
        set_("w", "a"),
        call("deleteVModel", {"vModelId": "v"}),
        status("a", "NOT_LOADED"),
        call("deleteVModel", {"vModelId": "w"}),
        status("a", "NOT_FOUND"),
    ],
    "references: a model that is to be forgotten goes when it is replaced": [
        set_("v", "a", modelInfo=QUICK, autoDeleteTargetModel=True, sync=True),
        set_("v", "b", modelInfo=QUICK, autoDeleteTargetModel=True, sync=True, answer=at("b")),
        status("a", "NOT_FOUND"),
        status("b", "LOADED"),
    ],
    "references: a model that was registered before stays": [
        register("a"),
        set_("v", "a", modelInfo=QUICK, autoDeleteTargetModel=True),
        call("deleteVModel", {"vModelId": "v"}),
        status("a", "NOT_LOADED"),
    ],
    "references: a model that is not to be forgotten stays": [
        set_("v", "a", modelInfo=QUICK),
        call("deleteVModel", {"vModelId": "v"}),
        status("a", "NOT_LOADED"),
        call("unregisterModel", {"modelId": "a"}),
    ],
    "references: both ends of a way are counted": [
        loaded("a"),
        register("b", info("SIZE_1000_8000_0")),
        set_("v", "a"),
        set_("v", "b", answer=at("a", "b", "TRANSITIONING")),
        call("unregisterModel", {"modelId": "a"}, code="FAILED_PRECONDITION"),
        call("unregisterModel", {"modelId": "b"}, code="FAILED_PRECONDITION"),
        call("deleteVModel", {"vModelId": "v"}),
        call("unregisterModel", {"modelId": "a"}),
        call("unregisterModel", {"modelId": "b"}),
    ],
    "references: none is left over when it is forced twice (10.3, row 13b)": [
        set_("v", "a", modelInfo=QUICK),
        set_("v", "a", force=True),
        set_("v", "a", force=True),
        call("deleteVModel", {"vModelId": "v"}),
        call("unregisterModel", {"modelId": "a"}),
    ],
    # 1.4, getVModelStatus and deleteVModel.
    "alias: what is not there": [alias("v", NO_ALIAS)],
    "alias: another owner's is not there": [
        register("a"),
        set_("v", "a", owner="x"),
        alias("v", NO_ALIAS, owner="y"),
        alias("v", at("a", owner="x"), owner="x"),
    ],
    "alias: a loaded one tells of its copies": [
        loaded("a"),
        set_("v", "a"),
        alias("v", at("a", activeModelStatus={"status": "LOADED", "modelCopyInfos": COPY})),
    ],
    "delete: what is not there": [call("deleteVModel", {"vModelId": "v"})],
    "delete: another owner's is left": [
        register("a"),
        set_("v", "a", owner="x"),
        call("deleteVModel", {"vModelId": "v", "owner": "y"}),
        alias("v", at("a")),
        call("deleteVModel", {"vModelId": "v", "owner": "x"}),
        alias("v", NO_ALIAS),
    ],
    # Ours.
    "split: a canary and a shadow": [
        register("a"),
        register("b"),
        set_(
            "v",
            "a",
            split={"canaryModelId": "b", "canaryPercent": 5, "shadowModelId": "b"},
            answer={"split": {"canaryModelId": "b", "canaryPercent": 5, "shadowModelId": "b"}},
        ),
        call("unregisterModel", {"modelId": "b"}, code="FAILED_PRECONDITION"),
        set_("v", "a", answer={"split": {"canaryModelId": "b", "canaryPercent": 5}}),
        set_("v", "a", split={}),
        call("unregisterModel", {"modelId": "b"}),
    ],
    "split: a canary that is not there": [
        register("a"),
        set_("v", "a", split={"canaryModelId": "b", "canaryPercent": 5}, code="NOT_FOUND"),
    ],
    "split: more than all": [
        register("a"),
        set_("v", "a", split={"canaryModelId": "a", "canaryPercent": 101}, code="INVALID_ARGUMENT"),
    ],
}

INFERENCE_ROWS: Mapping[str, Sequence[Step]] = {
    "inference: an alias that is not there": [
        call(INFER, code="NOT_FOUND", text="vmodel not found", headers={"mm-vmodel-id": "v"})
    ],
    "inference: an alias stands for its active model": [
        register("a"),
        set_("v", "a"),
        call(INFER, answer={"modelName": "a"}, headers={"mm-vmodel-id": "v"}),
    ],
    "inference: on its way, an alias stands for where it was": [
        loaded("a"),
        register("b", info("SIZE_1000_8000_0")),
        set_("v", "a"),
        set_("v", "b", answer=at("a", "b", "TRANSITIONING")),
        call(INFER, answer={"modelName": "a"}, headers={"mm-vmodel-id": "v"}),
    ],
    "inference: an alias that moved stands for its target": [
        loaded("a"),
        set_("v", "a"),
        set_("v", "b", modelInfo=QUICK, sync=True, answer=at("b")),
        call(INFER, answer={"modelName": "b"}, headers={"mm-vmodel-id": "v"}),
    ],
    "inference: a canary with all calls gets all calls": [
        register("a"),
        register("b"),
        set_("v", "a", split={"canaryModelId": "b", "canaryPercent": 100}),
        call(INFER, answer={"modelName": "b"}, headers={"mm-vmodel-id": "v"}),
    ],
}
"""For a mesh that answers inference too: where a runtime's `ModelInfer` names the model that answered."""
