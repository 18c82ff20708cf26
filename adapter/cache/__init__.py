"""What this one instance holds, and in which order it gives it up.

Owns   the life of each cache entry, the loading queue, who is evicted and who is not, what a size is expected
       to be, what became of the copies that are gone, and what another policy would have spent.
Never  calls a runtime, a disk, a clock or the registry. It is told, and it answers.
Read   entry (the states), messages (what it is told, what it answers), model_cache (the machine, above
       lives and cache_view) over its three parts loads (on their way in), copies (in the runtime) and
       failed; then eviction with candidates, reuse and hit_density (what keeping a model is worth), guards,
       room, loading_queue, sizes, departures, shadow, coldest, refusals, failures, bounds.
"""
