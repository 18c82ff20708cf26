"""A whole mesh on this machine: a registry, and pairs of instance and runtime, as children of one program.

Owns   the ports and files of each, the order in which they start and end, the folder of the mesh.
Never  serves a request itself; it only holds the sockets on which the instances do.
Read   mesh_plan (what is asked for), mesh_folder, ports, processes (what each child is told), local_mesh.
"""
