"""What the API server asks before it keeps an object, and how it comes to ask.

Owns   the decision on objects of ours, the webhook configurations, the certificate that they trust.
Never  decides on what is not ours, and never stands in anybody's way: while it is away, objects are kept.
Read   reviews (the envelope), decide; configuration; certificates, serving.
"""
