"""By which names the inspector may be called."""

from urllib.parse import urlsplit

from streamlit import config
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from app.access.settings import LOCAL, Access


def is_known_host(host: str | None, access: object) -> bool:
    """Tell whether a request calls the inspector by a name of its own.

    A page elsewhere can have its own name lead to this computer, so that the browser takes the inspector for a part of that page and hands
    over what it says (DNS rebinding). By its names the inspector is known: this computer's, those that it was started with, and
    the one that the sign-in service sends people back to.

    Args:
        host: The request's header.
        access: An `Access` where people sign in.
    """
    if config.get_option("server.allowedHosts"):
        return is_host_allowed(host)  # Streamlit holds connections to it, too
    name = _name(host)
    own = {
        *LOCAL,
        _name(config.get_option("server.address")),
        _name(config.get_option("browser.serverAddress")),
    }
    if isinstance(access, Access):
        own.add(urlsplit(access.redirect_uri).hostname or "")
    return name != "" and name in own


def _name(host: str | None) -> str:
    """Return a header's name without its port, in small letters; empty where it is none.

    Example:
        >>> _name("LocalHost:8501"), _name("[::1]:8501"), _name("a/b"), _name(None)
        ('localhost', '::1', '', '')
    """
    try:
        parts = urlsplit(f"//{host or ''}")
    except ValueError:
        return ""
    odd = parts.path or parts.query or parts.fragment or parts.username is not None
    return "" if odd else (parts.hostname or "").rstrip(".")
