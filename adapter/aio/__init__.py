"""asyncio tools that know nothing of models.

Owns   the clock, flights that are shared, patience.
Read   clock, then the rest in any order.
"""
