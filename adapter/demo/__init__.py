"""The whole thing on one machine: trained models, an object store, a runtime, an instance, a prediction.

Owns   the examples, the store that holds them, and the tour that shows them.
Never  takes a short cut: it registers and asks as any client does.
Read   examples, store, tour.
"""
