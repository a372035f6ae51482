"""Model ids: the node's specialty, with or without an audience."""

from node.api.conversation import Audience
from node.api.openai.common import Model, Models, ModelStrand
from node.http.replies import ErrorContext, RefusedError, refusal

NAME_CHARS_MAX = 80
"""Characters of an unknown model's name that an error repeats."""


def models(specialty: str, default: Audience) -> Models:
    """Return the ids of a specialty; the plain one stands for the `default` audience."""
    ids = _audiences(specialty).items()
    return Models(tuple(Model(id, ModelStrand(specialty, audience or default)) for id, audience in ids))


def model(id: str, specialty: str, default: Audience) -> Model:
    """Return one id's model. Raises RefusedError with 404."""
    return Model(id, ModelStrand(specialty, named_audience(id, specialty) or default))


def named_audience(id: str, specialty: str) -> Audience | None:
    """Return the audience that a model id names, None for the plain one. Raises RefusedError with 404."""
    known = _audiences(specialty)
    if id not in known:
        context = ErrorContext("model_not_found", "model")
        why = f"no model {id[:NAME_CHARS_MAX]!r}; this node has {', '.join(known)}"
        raise RefusedError(refusal(404, why, context=context))
    return known[id]


def _audiences(specialty: str) -> dict[str, Audience | None]:
    """Return the audience of each model id of a specialty; None: the plain one names none."""
    name = f"strand-{specialty}"
    return {name: None, **{f"{name}:{audience}": audience for audience in Audience}}
