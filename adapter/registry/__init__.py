"""What the mesh remembers.

Owns   the registry's seam, the encoding of records, the client of etcd's API, and the embedded server of it.
Never  decides anything about models; it keeps bytes under keys, with revisions.
Read   registry (the seam); encoding over record_fields; cached_records with model_records and vmodel_records;
       presence (what stands under a lease); etcd over group_commit, watching, endpoints (with backoff),
       etcd_options, etcd_keys, etcd_errors; embedded_server over embedded_services, embedded_watch,
       embedded_leases, then embedded (the thread) over embedded_calls, embedded_checks, embedded_ranges,
       embedded_history, sqlite_store, sqlite_file; key_range, alongside.
"""
