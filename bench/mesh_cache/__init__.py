"""The model cache against traces of requests: the loading that each policy spends."""
