"""The HTML of the consent page and of its refusals: plain, small, no outside assets."""

from html import escape

from meetbot_calendar.sandbox.google.consent import Consent, ConsentRefused
from meetbot_calendar.sandbox.google.scopes import SIGN_IN, tickable, words
from meetbot_calendar.sandbox.store import Account

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;background:#f0f4f9;color:#1f1f1f;margin:0}
main{max-width:30rem;margin:6vh auto;padding:2rem;background:#fff;border-radius:1.5rem}
h1{font-size:1.4rem;font-weight:500;margin:.2rem 0 1rem}
small{color:#5f6368}
label{display:flex;gap:.7rem;padding:.6rem .2rem;border-bottom:1px solid #e3e7ec;cursor:pointer}
label span{flex:1}
fieldset{border:0;padding:0;margin:1rem 0}
legend{font-weight:600;padding:0}
nav{display:flex;gap:.8rem;justify-content:flex-end;margin-top:1.6rem}
button{font:inherit;padding:.55rem 1.4rem;border-radius:2rem;border:1px solid #747775;
background:#fff;cursor:pointer}
button.allow{background:#0b57d0;border-color:#0b57d0;color:#fff}
button:focus-visible,input:focus-visible{outline:3px solid #a8c7fa;outline-offset:2px}
"""


def consent_page(consent: Consent, people: list[Account], hinted: Account | None) -> str:
    """Return the page; its form posts ``account``, ``grant`` (repeated) and ``decision``."""
    who = _known(hinted) if hinted else _chooser(people)
    app = escape(consent.client.name)
    return _page(
        f"Sign in to {app}",
        f"<small>Sandbox &middot; simulated Google</small>"
        f"<h1>{app} wants access to your Google Account</h1>"
        f'<form method="post"><input type="hidden" name="chosen" value="1">'
        f"{who}{_scopes(consent)}"
        '<nav><button name="decision" value="deny">Deny</button>'
        '<button class="allow" name="decision" value="allow">Allow</button></nav></form>',
    )


def refusal_page(refusal: ConsentRefused) -> str:
    """Return the page that says why access is blocked."""
    return _page(
        "Access blocked",
        "<small>Sandbox &middot; simulated Google</small><h1>Access blocked</h1>"
        f"<p>{escape(refusal.description)}</p>"
        f"<p>Error {refusal.status}: {escape(refusal.error)}</p>",
    )


def _page(title: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><main>{body}</main>"
        "</body></html>"
    )


def _known(account: Account) -> str:
    email = escape(account.email)
    hidden = f'<input type="hidden" name="account" value="{email}">'
    return f"{hidden}<p>Continue as <b>{escape(account.name)}</b> &lt;{email}&gt;</p>"


def _chooser(people: list[Account]) -> str:
    lines = "".join(_choice(p, first=p is people[0]) for p in people)
    return f"<fieldset><legend>Choose an account</legend>{lines}</fieldset>"


def _choice(account: Account, *, first: bool) -> str:
    email = escape(account.email)
    box = f'<input type="radio" name="account" value="{email}"{" checked" if first else ""}>'
    return f"<label>{box}<span>{escape(account.name)}<br><small>{email}</small></span></label>"


def _scopes(consent: Consent) -> str:
    boxes = "".join(
        f'<label><input type="checkbox" name="grant" value="{escape(scope)}" checked>'
        f"<span>{escape(words(scope))}</span></label>"
        for scope in tickable(consent.scopes)
    )
    sign_in = ""
    if set(consent.scopes) & SIGN_IN:
        sign_in = "<p><small>It will also learn who you are: name, email address.</small></p>"
    return f"<fieldset><legend>It will be able to</legend>{boxes}</fieldset>{sign_in}"
