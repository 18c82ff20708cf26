"""Where the bytes come from, and how they come to lie on the local disk.

Owns   providers (S3, PVC, local folders), `storage-config` keys, the pull, the disk below the model root.
Never  tells a runtime anything, and never prints what a secret holds.
Read   repository (the seam), secrets and model_key (which store, which credentials), destinations (which
       object becomes which file), puller (one pull from beginning to end), arrange, disk, then the providers.
"""
