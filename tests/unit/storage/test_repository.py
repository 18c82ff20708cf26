from adapter.storage.repository import StorageConfig


def test_a_storage_shows_its_fields_and_never_their_values() -> None:
    storage = StorageConfig(type="s3", fields={"secret_access_key": "hush"}, secret_key="localMinIO")
    assert repr(storage) == "<StorageConfig s3 from localMinIO: ['secret_access_key']>"


def test_a_field_that_is_no_string_counts_as_absent() -> None:
    storage = StorageConfig(type="s3", fields={"bucket": "b", "region": 5})
    assert (storage.text("bucket"), storage.text("region"), storage.text("x")) == ("b", None, None)


def test_messages_say_where_the_settings_are_from() -> None:
    assert StorageConfig(type="s3", secret_key="k").origin == "storage key 'k'"
    assert StorageConfig(type="s3").origin == "storage parameters alone"
