"""What all instances decide alike: where a request goes, where a copy is loaded, how many there are.

Pure functions over what this instance sees of the mesh; each verdict carries its reason. What an instance
knows of itself (`Here`) is given beside it, since the registry's view of it lags behind.
"""
