from adapter.controller.desired.env import Env


def test_a_later_word_wins_where_the_first_was_said() -> None:
    env = Env()
    env.put({"A": 1, "B": "2"})
    env.put_entries([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])
    env.put({"C": ""})
    assert env.entries == [
        {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "B", "value": "2"},
        {"name": "C", "value": ""},
    ]


def test_the_pod_and_its_containers_can_be_asked() -> None:
    env = Env()
    env.put_field("IP", "status.podIP")
    env.put_resource("MEMORY", container="server", resource="requests.memory")
    assert [entry["valueFrom"] for entry in env.entries] == [
        {"fieldRef": {"fieldPath": "status.podIP"}},
        {"resourceFieldRef": {"containerName": "server", "resource": "requests.memory"}},
    ]
