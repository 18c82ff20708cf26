"""What people write: objects of the `serving.kserve.io` group, read and checked, every complaint at once.

Owns   the form of runtimes, models and the entries of `storage-config`; the ids of what is registered.
Never  chooses a runtime, and never calls anything: a manifest comes in, a spec or a `BadManifest` goes out.
Read   complaints; reading (JSON to values, by the shapes of shapes, runtime_shapes and model_shapes);
       identity, annotations; runtimes with endpoints, then runtime_rules; models over
       predictors and inference_services (blocks, locations, storage_uris, copy_rules); spec_hash, templates,
       storage_config.
"""
