"""What is to be in the cluster, as manifests: a runtime's Deployment, and what a namespace's runtimes share.

Owns   pure functions from plans to manifests: contract names, the pod, its containers, who may talk to whom.
Never  applies anything, reads a clock, or looks at what is there.
Read   names (what it is all called), checks (what cannot run), ways (who drives the runtime); then volumes,
       instance_container, runtime_containers, adapter_container over env, security, sockets;
       deployment over affinity; autoscaler, disruption_budget, namespace; objects (all of it).
"""
