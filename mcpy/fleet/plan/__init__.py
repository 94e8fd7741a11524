"""Encryption as a file says it should be: read the file, compare, change, prove; or write it.

``document``    what the file says, and on which line it says something that cannot be
``keys``        the keys behind an alias: there, working, made
``difference``  every item, wanted beside found
``item``        one such item, and the act that would change it
``objects``     whether the objects of a bucket are as they have to be
``act``         do what differs: keys, then defaults, then policies
``uploads``     the statements that refuse uploads, in a policy that may hold others
``canary``      whether a server keeps to them
``export``      the file of what is there
"""
