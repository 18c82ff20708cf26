"""The whole thing on one machine: trained models, an object store, a mesh, predictions.

Owns   the examples, the store that holds them, and the tour that shows them.
Never  takes a short cut: it registers and asks as any client does.
Read   examples, store, showing, tour (a mesh of its own), into (a mesh that is up).
"""
