"""The door: the only place that reads the environment and wires edges to programs.

Owns   the `remesh` command.
Never  holds a rule of its own.
Read   main, then one module for each command.
"""
