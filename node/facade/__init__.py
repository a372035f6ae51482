"""Reports and controls of a node in the types of `node.api`; the daemon passes them to `node.http`.

Each module reads a few parts of the node and implements one protocol of `node.http.shown`; neither package imports the
other.
"""
