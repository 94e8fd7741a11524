"""Rewrite objects in place, so that they are encrypted as wanted and nothing else changes.

``goal``     what is wanted, and the classes of what becomes of each object
``canary``   tries out on scratch objects what a server does, with the ``probes``
``plan``     all versions of one key: which, and in which order; ``times`` keeps that order
``one``      one version: read, note, copy ``onto`` itself, read, compare (``snapshot``)
``journal``  what was intended and done, so that a kill at any moment loses nothing
``begun``    what a killed run had begun is settled first
``run``      a pass over all keys; ``session`` all of it for one target
"""
