"""What the mesh remembers.

Owns   the registry's seam, the encoding of records, and the stores behind the seam.
Never  decides anything about models; it keeps bytes under keys, with revisions.
Read   registry (the seam), encoding, model_records, then embedded (the thread) over sqlite_store (the file).
"""
