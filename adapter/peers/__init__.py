"""How a mesh is asked from outside.

Owns   the client of the management API and of inference, for the command line.
Never  serves anything.
Read   mesh_client.
"""
