"""Where things run: the objects of Kubernetes or of a folder, and processes of this machine.

Owns   objects: read, written, followed; who of several programs leads; events on objects. Processes: start,
       probe, restart with back-off, stop.
Never  knows what a model is.
Read   cluster (the seam); kubernetes over kubernetes_watch, kubernetes_api (the door to lightkube) and
       kubernetes_paths; local over local_folder, local_objects and local_state; leader_election;
       event_recorder. Then process_states (the decisions), processes (the supervisor), probes, leash.
"""
