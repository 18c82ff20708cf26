"""What clients see of models (reference: ModelMesh core 1.3, 1.6), and of an instance that may not write."""

from collections.abc import Mapping, Sequence

from tests.contracts.management_steps import (
    BAD,
    COPY,
    LEGACY,
    NO_NAME,
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

MODEL_ROWS: Mapping[str, Sequence[Step]] = {
    # 1.3, common rules.
    "register without a name": [
        call("registerModel", {"modelInfo": QUICK}, code="INVALID_ARGUMENT", text=NO_NAME, exact=True)
    ],
    "unregister without a name": [call("unregisterModel", code="INVALID_ARGUMENT", text=NO_NAME, exact=True)],
    "status without a name": [call("getModelStatus", code="INVALID_ARGUMENT", text=NO_NAME, exact=True)],
    "ensure loaded without a name": [call("ensureLoaded", code="INVALID_ARGUMENT", text=NO_NAME, exact=True)],
    "a load that fails is a status": [
        register("a", BAD),
        call(
            "ensureLoaded",
            {"modelId": "a", "sync": True},
            answer={
                "status": "LOADING_FAILED",
                "errors": ["INTERNAL: bad file"],
                "modelCopyInfos": [{"copyStatus": "LOADING_FAILED"}],
            },
        ),
    ],
    # 1.3, registerModel.
    "register: without a type": [
        register("a", info(type_=""), code="INVALID_ARGUMENT", text="non-empty model type string")
    ],
    "register: without anything of the model": [
        call("registerModel", {"modelId": "a"}, code="INVALID_ARGUMENT", text="non-empty model type string")
    ],
    "register: a new model is not loaded": [
        register("a", answer={"status": "NOT_LOADED", "errors": [], "modelCopyInfos": []}),
        status("a", "NOT_LOADED"),
    ],
    "register: the same again is fine": [register("a"), register("a", answer={"status": "NOT_LOADED"})],
    "register: the same again tells the status": [loaded("a"), register("a", answer={"status": "LOADED"})],
    "register: another type": [
        register("a"),
        register(
            "a",
            info(type_="u"),
            code="ALREADY_EXISTS",
            text="Model already exists with different attribute values",
        ),
    ],
    "register: another path": [
        register("a"),
        register(
            "a", info("SIZE_1001_0_0"), code="ALREADY_EXISTS", text="Model already exists with different"
        ),
    ],
    "register: another key": [
        register("a"),
        register("a", info(key="{}"), code="ALREADY_EXISTS", text="Model already exists with different"),
    ],
    "register: load now": [
        register("a", SLOW, loadNow=True, answer={"status": "LOADING", "modelCopyInfos": COPY}),
        status("a", "LOADED", eventually=True),
    ],
    "register: load now and wait": [
        register("a", loadNow=True, sync=True, answer={"status": "LOADED", "modelCopyInfos": COPY})
    ],
    "register: load now what cannot be loaded": [
        register(
            "a",
            BAD,
            loadNow=True,
            sync=True,
            answer={"status": "LOADING_FAILED", "errors": ["INTERNAL: bad file"]},
        ),
        status("a", {"status": "LOADING_FAILED", "errors": ["INTERNAL: bad file"]}),
    ],
    "register: sync without load now": [register("a", sync=True, answer={"status": "NOT_LOADED"})],
    "register: the caller's deadline": [
        register("a", SLOW, loadNow=True, sync=True, timeout_s=0.3, code="DEADLINE_EXCEEDED"),
        status("a", "LOADED", eventually=True),
    ],
    "register: a use in the future is now": [
        register("a", loadNow=True, sync=True, lastUsedTime=2**62, answer={"status": "LOADED"})
    ],
    "register: rules of copies": [
        register("a", copyRules={"minCopies": 1, "maxCopies": 2}, answer={}),
        register("a", answer={}),
    ],
    "register: rules that contradict themselves": [
        register("a", copyRules={"minCopies": 2, "maxCopies": 1}, code="INVALID_ARGUMENT", text="maxCopies")
    ],
    # 1.3, unregisterModel.
    "unregister: what is not there": [call("unregisterModel", {"modelId": "a"})],
    "unregister: it is forgotten": [
        register("a"),
        call("unregisterModel", {"modelId": "a"}),
        status("a", "NOT_FOUND"),
    ],
    "unregister: it is unloaded": [
        loaded("a"),
        call("unregisterModel", {"modelId": "a"}),
        status("a", "NOT_FOUND"),
        register("a"),
        status("a", {"status": "NOT_LOADED", "modelCopyInfos": []}, eventually=True),
    ],
    "unregister: while an alias names it": [
        register("a"),
        set_("v", "a"),
        call("unregisterModel", {"modelId": "a"}, code="FAILED_PRECONDITION", text="has referents"),
        call("deleteVModel", {"vModelId": "v"}),
        call("unregisterModel", {"modelId": "a"}),
    ],
    # 1.3, getModelStatus.
    "status: what is not there": [status("a", {"status": "NOT_FOUND", "errors": [], "modelCopyInfos": []})],
    "status: not loaded": [register("a"), status("a", {"status": "NOT_LOADED", "modelCopyInfos": []})],
    "status: loading": [
        register("a", SLOW, loadNow=True),
        status("a", {"status": "LOADING", "modelCopyInfos": COPY}),
    ],
    "status: loaded": [loaded("a"), status("a", {"status": "LOADED", "modelCopyInfos": COPY})],
    "status: asking loads nothing": [register("a"), status("a", "NOT_LOADED"), status("a", "NOT_LOADED")],
    "status: the state of an instance": [
        call("getModelStatus", {"modelId!": "***GETSTATE***"}, answer={"status": "UNKNOWN"})
    ],
    "status: the state of an instance in its log": [
        call("getModelStatus", {"modelId!": "***LOGCACHE***"}, answer={"status": "UNKNOWN", "errors": []})
    ],
    # 1.3, ensureLoaded.
    "ensure loaded: what is not there": [
        call("ensureLoaded", {"modelId": "a"}, code="NOT_FOUND", text="model not found", exact=True)
    ],
    "ensure loaded: it is loaded": [
        register("a", SLOW),
        call("ensureLoaded", {"modelId": "a"}, answer={"status": "LOADING", "modelCopyInfos": COPY}),
        call("ensureLoaded", {"modelId": "a", "sync": True}, answer={"status": "LOADED"}),
    ],
    "ensure loaded: what is loaded stays so": [
        loaded("a"),
        call("ensureLoaded", {"modelId": "a"}, answer={"status": "LOADED", "modelCopyInfos": COPY}),
    ],
    # 1.6, older names.
    "older names: of the methods": [
        call("addModel", {"modelId": "a", "modelInfo": QUICK}, answer={"status": "NOT_LOADED"}),
        call("deleteModel", {"modelId": "a"}),
        status("a", "NOT_FOUND"),
    ],
    "older names: of the service": [
        call(f"{LEGACY}/addModel", {"modelId": "a", "modelInfo": QUICK}, answer={"status": "NOT_LOADED"}),
        call(f"{LEGACY}/registerModel", {"modelId": "a", "modelInfo": QUICK}),
        call(f"{LEGACY}/getModelStatus", {"modelId": "a"}, answer={"status": "NOT_LOADED"}),
        call(f"{LEGACY}/deleteModel", {"modelId": "a"}),
        status("a", "NOT_FOUND"),
    ],
}

READ_ONLY_ROWS: Mapping[str, Sequence[Step]] = {
    "read only: register": [register("a", code="INTERNAL", text="model-mesh read-only mode")],
    "read only: register what is there": [register("there", answer={"status": "NOT_LOADED"})],
    "read only: unregister": [
        call("unregisterModel", {"modelId": "free"}, code="INTERNAL", text="model-mesh read-only mode")
    ],
    "read only: unregister what is not there": [call("unregisterModel", {"modelId": "a"})],
    "read only: set": [set_("v", "there", code="UNAVAILABLE", text="read-only")],
    "read only: delete": [call("deleteVModel", {"vModelId": "alias"}, code="UNAVAILABLE", text="read-only")],
    "read only: it is loaded all the same": [
        call("ensureLoaded", {"modelId": "there", "sync": True}, answer={"status": "LOADED"})
    ],
    "read only: it is told all the same": [alias("alias", at("there"))],
}
"""Against an instance with `KV_READ_ONLY`, in whose registry the steps of `READ_ONLY_BEFORE` were taken."""
READ_ONLY_BEFORE = (register("there"), register("free"), set_("alias", "there"))
