"""What the node shows and lets its owner do, told in the types of `node.api`. The daemon gives it to `node.http`.

Each module looks at a few parts of the node and implements one protocol of `node.http.shown`; neither package imports
the other.
"""
