"""How other instances, and a mesh from outside, are asked.

Owns   the channels to the other instances; the client of the management API and of inference, for the command
       line.
Never  serves anything, or decides which instance is asked.
Read   channels, mesh_client.
"""
