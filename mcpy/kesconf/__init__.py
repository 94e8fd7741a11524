"""The KES server's configuration file: read, judged, written.

``document`` reads YAML and keeps the line of everything; ``stores`` says which keystore a file
names; ``lint`` finds what KES would refuse, and what it silently misunderstands; ``template``
writes a new file.
"""
