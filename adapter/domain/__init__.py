"""What we talk about: identities, records, states and errors.

Owns   the nouns that every other package shares, and the tree of errors.
Never  imports anything of ours, or anything that has an effect.
Read   ids, records, status, runtime, errors.
"""
