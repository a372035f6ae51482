"""The Model Context Protocol on a node: the swarm as tools and resources for agents, at `/mcp`.

`strand mcp` brings the same endpoint to clients that speak over stdio. Only this package and `node.cli.mcp` import the
`mcp` package, which is an extra and takes a third of a second to load.
"""
