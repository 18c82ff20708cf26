"""The kubelet of one Node: pods of a real API server become processes of this machine. For tests.

Owns   the Node object and its lease; for each pod bound to it a network namespace with an address of its
       own, for each container a process in namespaces of its own; their volumes, environment, probes, hooks,
       restarts, logs and status; and, since nothing else does it here, addresses and names of Services.
Never  pulls an image: a file says which program of this machine an image is (`images`). Never limits memory
       or CPU, enforces no NetworkPolicy, writes no events, and knows no init containers that keep running.
Read   node (what joins all), pod, container (one life), status (what is told); environment, volumes, probes,
       security (what a container is given); sandbox (how it becomes one), network, services, log_server;
       running (how a test has one).
"""
