from pathlib import PurePosixPath

from adapter.layout.files import PulledFiles


def test_a_single_file_has_itself_alone() -> None:
    files = PulledFiles(root=PurePosixPath("/models/iris/model.joblib"), sizes={PurePosixPath(): 5})
    assert (files.is_file, files.top_names, files.size_bytes) == (True, [], 5)


def test_a_folder_tells_its_top_and_its_size() -> None:
    sizes = {PurePosixPath("b/c/d"): 1, PurePosixPath("b/e"): 2, PurePosixPath("a"): 3}
    files = PulledFiles(root=PurePosixPath("/models/iris/model"), sizes=sizes, schema=b"{}")
    assert (files.is_file, files.top_names, files.size_bytes) == (False, ["a", "b"], 6)
