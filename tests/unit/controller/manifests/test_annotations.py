from adapter.controller.manifests.annotations import DEPLOYMENT_MODE, annotation


def test_the_path_of_an_annotation_has_its_whole_name() -> None:
    assert annotation(DEPLOYMENT_MODE) == "metadata.annotations[serving.kserve.io/deploymentMode]"
