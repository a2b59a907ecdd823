"""What belongs to a platform's site: its hosts, and the pages on them that are no rooms."""

import re

from meetbot_calendar.calendars.model import Platform

_SUB = r"(?:[a-z0-9-]+\.)"

# Hosts on which meetings are joined; whole names, for a part of a name is anybody's.
HOSTS: dict[Platform, re.Pattern[str]] = {
    "google_meet": re.compile(r"meet\.google\.com|g\.co"),
    "zoom": re.compile(rf"{_SUB}*(?:zoom\.(?:us|com|com\.cn)|zoomgov\.com|zoom-x\.de)"),
    "teams": re.compile(
        # gov., dod., or the name of an organisation.
        rf"(?:(?!admin\.|dialin\.|events\.){_SUB})?teams\.microsoft\.(?:com|us)|teams\.live\.com"
        r"|teams\.cloud\.microsoft|teams\.microsoftonline\.cn"
    ),
    # Cisco's, China's, and the US government's, as Webex' own SDK lists it.
    "webex": re.compile(rf"{_SUB}+(?:webex\.com|webex\.com\.cn|webexgov\.us)"),
    "gotomeeting": re.compile(
        rf"{_SUB}?gotomeeting\.com|(?:www\.)?gotomeet\.me|(?:meet|app)\.goto\.com"
    ),
    "bluejeans": re.compile(rf"{_SUB}?bluejeans\.com"),
    "whereby": re.compile(rf"{_SUB}?whereby\.com"),
}

# Sites of the vendors themselves, where a path may look like a room and is a page.
VENDOR_SITES = re.compile(
    r"(?:admin|api|apphelp|blog|community|developers?|devforum|docs|events|explore|help|investors"
    r"|learning|marketplace|signin|status|success|support|www)\..+"
)

# Names of a meeting have the form of a page's, so the pages are told by name.
GOOGLE_MEET_PAGES = frozenset(
    "about about-us attendance business call calling calls contact-sales contact-us conference"  # noqa: SIM905 - as above all
    " create download downloads education enterprise faq features get-started getalink getcalendar"
    " getting-started healthcheck help home how-it-works individuals landing learn-more"
    " linkredirect login lookup meetings moderation new new-meeting onboarding overview plans"
    " pricing privacy privacy-policy ready recordings redirect room-system safety schedule security"
    " settings sign-in sign-up start stream subscribe support tel terms terms-of-service"
    " unsupported upgrade video-calls video-conferencing video-meetings whats-new whoops".split()
)
GOTO_PAGES = frozenset(
    {"about", "download", "help", "install", "join", "legal", "login", "meeting", "support"}
)
WHEREBY_PAGES = frozenset(
    "about accessibility account admin api app apps blog business careers changelog code compare"  # noqa: SIM905 - a list is sixty lines
    " contact cookies create customers dashboard developer developers docs download education"
    " embedded enterprise events faq features for-education free get-started guides healthcare"
    " help home how-to information integrations jobs legal login logout meetings new org partners"
    " press pricing privacy product products profile register resources room rooms sales security"
    " settings sign-in sign-up signin signup solutions start status support team telehealth"
    " templates terms tips tos use-cases user users video video-api webinars".split()
)
