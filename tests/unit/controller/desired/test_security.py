from adapter.controller.desired import security


def test_what_we_bring_meets_the_restricted_pod_security_standard() -> None:
    ours = security.of_ours()
    assert ours["runAsNonRoot"]
    assert ours["readOnlyRootFilesystem"]
    assert ours.items() >= security.of_runtimes().items()


def test_the_pre_stop_hook_is_the_instances() -> None:
    assert security.pre_stop()["preStop"]["httpGet"] == {"path": "/prestop", "port": 8090, "scheme": "HTTP"}
