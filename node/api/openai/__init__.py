"""Bodies of OpenAI's API, as far as a node serves it: text in, the swarm's answer out.

Names and meanings are OpenAI's; what is ours stands in objects named `strand`. Each request's fields are one of three:
honoured (a field of the body's type), ignored (it would only tune a single model) or refused by name (a reply without
it would be another one than the client expects).
"""
