"""How we know.

Owns   the form of a log line.
Never  is imported by a decision: those return reasons, and the program says them.
"""
