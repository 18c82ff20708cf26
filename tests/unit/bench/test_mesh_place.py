from dataclasses import asdict
from pathlib import Path

import pytest

from adapter.cli.settings import read_settings, settings_table
from adapter.instance.settings import InstanceSettings
from bench.mesh.place import PREFIX, SERVICE, Place


def test_an_instance_is_told_nothing_that_it_does_not_know(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    place = Place(name="instance-0", folder=tmp_path)
    environment = place.environment(kv_store="etcd:127.0.0.1:2379", runtime_port=8085)
    known = {name for name, _, _ in settings_table(InstanceSettings)}
    assert set(environment) <= known
    for name in known:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = read_settings(InstanceSettings)
    assert settings.instance_id == place.name
    assert (settings.kv_prefix, settings.service_name) == (PREFIX, SERVICE)
    assert (settings.grpc_port, settings.probe_port) == (place.port, place.probe_port)
    assert settings.management_address == settings.serving_address == "127.0.0.1:8085"


def test_each_place_has_its_own_ports(tmp_path: Path) -> None:
    place = Place(name="instance-0", folder=tmp_path)
    ports = [value for name, value in asdict(place).items() if name.endswith("port")]
    assert len(set(ports)) == len(ports) == 6


def test_where_nobody_listens_nobody_is_ready(tmp_path: Path) -> None:
    assert not Place(name="instance-0", folder=tmp_path).is_ready()
