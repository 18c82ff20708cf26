"""What a mesh costs: loads a second, writes to etcd, latency of 20,000 models, memory of 100,000 registered.

Owns   the figures of the mesh, and how they are measured: everything on the cores that there are, unpinned.
Does   starts a real etcd, instances with a runtime each that holds no real models (or the in-house one with
       real ones), asks them at a steady rate, and checks every answer; tells medians with ranges.
Read   stub and clients (who stands on both sides: in Go below traffic/, and used by tests/integration/meshes
       too), place (one instance), stage (what is started); then headline, cold, registered, sklearn and
       cache, which are what is measured, and figures (what is told).
"""
