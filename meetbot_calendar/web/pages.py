"""Pages for people in a browser: plain, escaped, nothing loaded from anywhere."""

from html import escape

from litestar import Response

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f7f9;color:#1b1f24}"
    "main{max-width:34rem;margin:12vh auto;padding:2rem;background:#fff;border-radius:12px;"
    "box-shadow:0 1px 4px #0002}h1{font-size:1.35rem;margin:0 0 .75rem}p{margin:.5rem 0}"
    "a{color:#0b57d0}code{background:#eef;padding:.1em .3em;border-radius:4px}"
    "small{color:#57606a}@media(prefers-color-scheme:dark){body{background:#15181c;color:#e6e8ea}"
    "main{background:#1f2429}a{color:#8ab4f8}code{background:#2c333a}small{color:#9aa4ad}}"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
}


def page(title: str, *paragraphs: str, status: int = 200, note: str = "") -> Response[str]:
    """Show a title and paragraphs; all of them are escaped."""
    lines = "".join(f"<p>{escape(text)}</p>" for text in paragraphs)
    small = f"<p><small>{escape(note)}</small></p>" if note else ""
    return html(title, f"<h1>{escape(title)}</h1>{lines}{small}", status=status)


def html(title: str, body: str, *, status: int = 200, style: str = "") -> Response[str]:
    """Show ready-made HTML, whose parts the caller has escaped."""
    whole = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}{style}</style></head>"
        f"<body><main>{body}</main></body></html>"
    )
    return Response(whole, status_code=status, media_type="text/html", headers=HEADERS)
