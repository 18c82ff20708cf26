"""Identities, as types, so that they cannot be mistaken for each other."""

from typing import NewType

ModelId = NewType("ModelId", str)
"""The name a model is registered under. Any text; never used as a path without being quoted."""

InstanceId = NewType("InstanceId", str)
"""One adapter beside one runtime. ModelMesh takes the last characters of the pod's name."""
