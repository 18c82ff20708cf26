"""`docs/kubernetes.md` names every key of the configuration, and no other."""

import re

from adapter.controller.config_shapes import ConfigSection
from adapter.controller.manifests import annotations
from adapter.domain.specs import FailureReason
from tests.tidy.tree import ROOT

PAGE = (ROOT / "docs" / "kubernetes.md").read_text()
CONFIGURE = PAGE.partition("## Configure it")[2].partition("### TLS")[0]


def test_every_key_of_the_configuration_has_a_row() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", CONFIGURE, flags=re.MULTILINE)
    told = {name.partition(".")[0] for row in rows for name in re.findall(r"`([\w.{},]+)`", row)}
    known = {str(field.alias) for field in ConfigSection.model_fields.values()}
    # Deprecated: the variable ETCD_SECRET_NAME says it.
    assert told == known - {"etcdSecretName"}


def test_every_reason_of_a_failure_has_a_row() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE.partition("## Configure it")[0], flags=re.MULTILINE))
    assert told == {reason.value for reason in FailureReason}


def test_annotations_are_those_that_are_read() -> None:
    told = set(re.findall(r"`((?:serving\.kserve|remesh)\.io/[\w-]+)`", PAGE))
    known = {value for value in vars(annotations).values() if isinstance(value, str)}
    assert told <= known
