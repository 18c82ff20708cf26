"""What this one instance holds, and in which order it gives it up.

Owns   the life of each cache entry, the loading queue, who is evicted, what a size is expected to be.
Never  calls a runtime, a disk, a clock or the registry. It is told, and it answers.
Read   entry (the states), messages (what it is told, what it answers), model_cache (the machine) over its
       three parts loads (on their way in), copies (in the runtime) and failed; then room, eviction,
       loading_queue, sizes, failures, bounds.
"""
