"""asyncio tools that know nothing of models.

Owns   the clock, one at a time for each key, files that change.
Read   clock, then the rest in any order.
"""
