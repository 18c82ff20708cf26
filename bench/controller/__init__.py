"""What the controller costs: how soon a change is reconciled, memory, a start with 5,000 models.

Owns   the figures of the controller, and how they are measured.
Does   starts a real control plane (etcd and the API server of `make tools`), one instance before a runtime
       that holds no real models, and `remesh controller` as a process; people's part is played over the API.
Read   declared (what people do, and see), running (one controller process), then measures and figures.
"""
