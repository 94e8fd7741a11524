"""Walk the chain from an alias to its keys, and name the first link that is broken.

    examine(patient)         ->  Step, Step, ...     the whole chain of an alias
    examine_object(patient)  ->  Step, Step, ...     why an object can or cannot be read

``step``     one link: ok, warning, failed, or not checked and why
``server``   reachable, TLS, clock, S3, admin API, nodes and their settings
``kms``      the KMS as the server sees it: endpoints, default key, permissions
``kes``      the KES as the alias sees it: certificates, state, policies
``buckets``  defaults by which every upload would fail
``content``  a few objects, really read
``objects``  the reason why one object cannot be read

Nothing is changed: every request reads, or tries something that no server lets take effect.
"""
