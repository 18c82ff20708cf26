"""Where runtimes run: for now, as processes of this machine.

Owns   the supervisor: start, probe, restart with back-off, stop.
Never  knows what a model is.
Read   process_states (the decisions), processes (the supervisor), probes, leash.
"""
