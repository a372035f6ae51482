"""Model ids: the node's specialty, with or without an audience."""

from node.api.asking import Audience
from node.api.openai.common import Model, Models, ModelStrand
from node.http.audience import MODEL_SEPARATOR, split_model
from node.http.replies import ErrorContext, RefusedError, refusal

NAME_CHARS_MAX = 80
"""Characters of an unknown model's name that an error repeats."""


def models(specialty: str, default: Audience) -> Models:
    """Return the ids of a specialty: the plain one, which stands for the `default` audience, and one an audience."""
    name = _name(specialty)
    ids = {name: default} | {f"{name}{MODEL_SEPARATOR}{audience}": audience for audience in Audience}
    return Models(tuple(Model(id, ModelStrand(specialty, audience)) for id, audience in ids.items()))


def model(id: str, specialty: str, default: Audience) -> Model:
    """Return one id's model. Raises RefusedError with 404."""
    known = models(specialty, default).data
    found = next((each for each in known if each.id == id), None)
    if found is None:
        ids = ", ".join(each.id for each in known)
        context = ErrorContext("model_not_found", "model")
        raise RefusedError(refusal(404, f"no model {id[:NAME_CHARS_MAX]!r}; this node has {ids}", context=context))
    return found


def named_audience(id: str, specialty: str) -> Audience | None:
    """Return the audience that a model id names, or None. Raises RefusedError with 404 for an unknown id."""
    model(id, specialty, Audience.TRUSTED)
    return split_model(id)[1]


def _name(specialty: str) -> str:
    return f"strand-{specialty}"
