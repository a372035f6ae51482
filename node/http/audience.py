"""Who may read a question's text: the first that says it of request, model id, API key and the face's default."""

from starlette.requests import Request

from node.api.conversation import Audience
from node.http.keys import ApiKey


def resolve(
    requested: Audience | None, *, model: Audience | None = None, key: Audience | None = None, default: Audience
) -> Audience:
    """Return the audience of a question: the narrowest place that names one decides, whichever it names.

    Args:
        requested: the audience that the request names.
        model: the audience in the request's model id.
        key: the audience of the API key that came with the request.
        default: the audience of the face, from the configuration.
    """
    return requested or model or key or default


def key_audience(request: Request | None) -> Audience | None:
    """Return the audience of the API key with which a request was served; None: it names none, or no key came."""
    key: ApiKey | None = None if request is None else getattr(request.state, "api_key", None)
    return None if key is None else key.audience
