"""The identity platform's HTML: consent, refusal and form_post pages; plain, no outside assets."""

from html import escape

from meetbot_calendar.sandbox.microsoft.authorise import Asking
from meetbot_calendar.sandbox.microsoft.scopes import OPENID, WORDS
from meetbot_calendar.sandbox.store import Account

_STYLE = """
body{font:15px/1.5 'Segoe UI',system-ui,sans-serif;background:#f2f2f2;color:#1b1b1b;margin:0}
main{max-width:27rem;margin:8vh auto;padding:2.7rem;background:#fff;box-shadow:0 2px 6px #0003}
h1{font-size:1.5rem;font-weight:600;margin:.2rem 0 1rem}
small{color:#595959}
fieldset{border:0;padding:0;margin:1rem 0}
legend{font-weight:600;padding:0}
label{display:flex;gap:.7rem;padding:.5rem .2rem;border-bottom:1px solid #e5e5e5;cursor:pointer}
ul{padding-left:1.2rem}
nav{display:flex;gap:.5rem;justify-content:flex-end;margin-top:1.6rem}
button{font:inherit;min-width:7rem;padding:.4rem 1rem;border:0;background:#ccc;cursor:pointer}
button.accept{background:#0067b8;color:#fff}
button:focus-visible,input:focus-visible{outline:2px solid #000;outline-offset:2px}
"""


def consent_page(
    asking: Asking, asked: list[str], people: list[Account], hinted: Account | None
) -> str:
    """Return the page; its form posts ``account`` and ``decision`` (accept or cancel)."""
    who = _known(hinted) if hinted else _chooser(people)
    app = escape(asking.client.name)
    return _page(
        "Permissions requested",
        f"<small>Sandbox &middot; simulated Microsoft</small><h1>Permissions requested</h1>"
        f'<form method="post">{who}<p><b>{app}</b> would like to:</p><ul>{_wishes(asked)}</ul>'
        '<nav><button name="decision" value="cancel">Cancel</button>'
        '<button class="accept" name="decision" value="accept">Accept</button></nav></form>',
    )


def refusal_page(description: str) -> str:
    """Return the page that says why nobody can sign in here."""
    text = f"<p>{escape(description)}</p>"
    small = "<small>Sandbox &middot; simulated Microsoft</small>"
    return _page(
        "Sign in", f"{small}<h1>Sorry, but we're having trouble signing you in.</h1>{text}"
    )


def post_back_page(asking: Asking, answer: dict[str, str]) -> str:
    """Return the page that posts the answer to the client (``response_mode=form_post``)."""
    stated = {"state": asking.state} if asking.state is not None else {}
    fields = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in (answer | stated).items()
    )
    form = f'<form method="post" action="{escape(asking.redirect_uri)}">{fields}'
    script = "<script>document.forms[0].submit()</script>"
    return _page("Working...", f"{form}<button>Continue</button></form>{script}")


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>{body}</main>"
        "</body></html>"
    )


def _known(account: Account) -> str:
    email = escape(account.email)
    return f'<input type="hidden" name="account" value="{email}"><p>{email}</p>'


def _chooser(people: list[Account]) -> str:
    lines = "".join(_choice(person, first=person is people[0]) for person in people)
    return f"<fieldset><legend>Pick an account</legend>{lines}</fieldset>"


def _choice(account: Account, *, first: bool) -> str:
    email = escape(account.email)
    box = f'<input type="radio" name="account" value="{email}"{" checked" if first else ""}>'
    return f"<label>{box}<span>{escape(account.name)}<br><small>{email}</small></span></label>"


def _wishes(asked: list[str]) -> str:
    wished = [name for name in asked if name not in OPENID or name == "offline_access"]
    return "".join(f"<li>{escape(WORDS[name])}</li>" for name in wished)
