"""Where the bytes come from, and how they come to lie on the local disk.

Owns   providers (S3, PVC, local folders), `storage-config` keys, the pull, the disk below the model root.
Never  tells a runtime anything, and never prints what a secret holds.
Read   repository (the seam); model_key, resolution and secrets (which store, which credentials); destinations
       (which object becomes which file); puller (one pull from beginning to end) over fetching, linking and
       disk; arrange (what a runtime is shown); providers, then s3 and pvc.
"""
