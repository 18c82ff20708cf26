"""From wish to running: what people declare becomes runtimes, registrations and statuses.

Owns   the objects of the `serving.kserve.io` group: reading them, choosing runtimes, what is to run, what the
       mesh is told, what the objects' statuses and events say.
Never  decides where a copy lies or a request goes: that is the mesh's. Never runs anything itself: a `Fleet`
       does, as Deployments of a Kubernetes cluster or as processes of this machine.
Read   plans and verdicts (the values), manifests (what people write), selection, desired, statuses; then
       store, workqueue, planning, models, runtimes and manager (the loop), and program (the command).
"""
