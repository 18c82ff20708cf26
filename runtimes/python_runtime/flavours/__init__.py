"""The formats that can be loaded: which file is which, and who loads it.

Owns   the table of formats, and one module for each. A module's `load(source)` gives a `Model`.
Never  imports a model library before a model needs it: this package itself imports none.
Read   model (what a flavour gives), table (names and files), pickles, then the flavours in any order.
"""
