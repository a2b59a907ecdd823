"""The identity platform's refusals (providers 5.4): AADSTS numbers, and what each says."""

from datetime import datetime
from typing import Any

import msgspec

from meetbot_calendar.sandbox.microsoft.failures import request_guid


class Aadsts(msgspec.Struct, frozen=True, kw_only=True):
    """One numbered refusal."""

    error: str
    text: str
    status: int = 400
    suberror: str = ""
    claims: str = ""


_MFA_CLAIMS = '{"access_token":{"capolids":{"essential":true,"values":["c9ab4a6f"]}}}'
_MFA_TEXT = (
    "Due to a configuration change made by your administrator, or because you moved to a new "
    "location, you must use multi-factor authentication to access the resource."
)

CODES: dict[int, Aadsts] = {
    9002313: Aadsts(error="invalid_request", text="Invalid request. Request is malformed."),
    28000: Aadsts(
        error="invalid_request",
        text="Provided value for the input parameter scope is not valid because it contains more "
        "than one resource.",
    ),
    50011: Aadsts(
        error="invalid_request",
        text="The redirect URI specified in the request does not match the redirect URIs "
        "configured for the application.",
    ),
    50020: Aadsts(
        error="invalid_grant",
        text="User account from this identity provider does not exist in the tenant and cannot "
        "access the application in that tenant.",
    ),
    50033: Aadsts(error="temporarily_unavailable", text="RetryableError.", status=503),
    50034: Aadsts(error="invalid_grant", text="The user account does not exist in the directory."),
    50057: Aadsts(error="invalid_grant", text="The user account is disabled."),
    50058: Aadsts(
        error="login_required",
        text="A silent sign-in request was sent but no user is signed in.",
    ),
    50074: Aadsts(error="interaction_required", text="Strong Authentication is required."),
    50076: Aadsts(
        error="interaction_required", text=_MFA_TEXT, suberror="basic_action", claims=_MFA_CLAIMS
    ),
    50078: Aadsts(
        error="interaction_required",
        text="Presented multi-factor authentication has expired due to policies configured by "
        "your administrator.",
        suberror="basic_action",
    ),
    50079: Aadsts(
        error="interaction_required",
        text="You must enroll in multi-factor authentication to access the resource.",
        suberror="basic_action",
    ),
    50105: Aadsts(
        error="access_denied",
        text="The signed in user is not assigned to a role for the application.",
    ),
    50148: Aadsts(
        error="invalid_grant",
        text="The code_verifier does not match the code_challenge supplied in the authorization "
        "request for PKCE.",
    ),
    50173: Aadsts(
        error="invalid_grant",
        text="The provided grant has expired due to it being revoked, a fresh auth token is "
        "needed. The user might have changed or reset their password.",
        suberror="bad_token",
    ),
    50194: Aadsts(
        error="invalid_request", text="The application is not configured as multi-tenant."
    ),
    50196: Aadsts(
        error="invalid_grant",
        text="The server terminated an operation because it encountered a client request loop.",
    ),
    501481: Aadsts(
        error="invalid_grant",
        text="The Code_Verifier does not match the code_challenge supplied in the authorization "
        "request.",
    ),
    53000: Aadsts(
        error="interaction_required",
        text="Device is not in required device state: conditional access policy requires a "
        "compliant device.",
        suberror="message_only",
    ),
    53003: Aadsts(
        error="interaction_required",
        text="Access has been blocked by Conditional Access policies.",
        suberror="message_only",
    ),
    530032: Aadsts(error="access_denied", text="Tenant-wide security policy blocks this request."),
    54005: Aadsts(
        error="invalid_grant",
        text="OAuth2 Authorization code was already redeemed, please retry with a new valid code "
        "or use an existing refresh token.",
    ),
    65001: Aadsts(
        error="invalid_grant",
        text="The user or administrator has not consented to use the application. Send an "
        "interactive authorization request for this user and resource.",
        suberror="consent_required",
    ),
    65004: Aadsts(error="access_denied", text="User declined to consent to access the app."),
    70000: Aadsts(
        error="invalid_grant",
        text="Provided grant is invalid or malformed. The refresh token is not valid.",
    ),
    70001: Aadsts(error="unauthorized_client", text="The application is disabled."),
    700016: Aadsts(
        error="unauthorized_client",
        text="Application was not found in the directory. You may have sent your authentication "
        "request to the wrong tenant.",
    ),
    70008: Aadsts(
        error="invalid_grant",
        text="The provided authorization code or refresh token has expired due to inactivity.",
    ),
    700082: Aadsts(
        error="invalid_grant",
        text="The refresh token has expired due to inactivity. The token was inactive for "
        "90.00:00:00.",
        suberror="token_expired",
    ),
    700084: Aadsts(
        error="invalid_grant",
        text="The refresh token was issued to a single page app (SPA), and therefore has a fixed, "
        "limited lifetime of 1.00:00:00, which cannot be extended.",
        suberror="token_expired",
    ),
    70011: Aadsts(
        error="invalid_scope",
        text="The provided value for the input parameter 'scope' is not valid.",
    ),
    70043: Aadsts(
        error="invalid_grant",
        text="The refresh token has expired or is invalid due to sign-in frequency checks by "
        "conditional access.",
        suberror="bad_token",
    ),
    7000112: Aadsts(error="unauthorized_client", text="The application is disabled."),
    7000215: Aadsts(
        error="invalid_client",
        text="Invalid client secret provided. Ensure the secret being sent in the request is the "
        "client secret value, not the client secret ID.",
        status=401,
    ),
    7000218: Aadsts(
        error="invalid_client",
        text="The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
        status=401,
    ),
    7000222: Aadsts(
        error="invalid_client", text="The provided client secret keys are expired.", status=401
    ),
    700005: Aadsts(
        error="invalid_grant",
        text="Provided Authorization Code is intended to use against other tenant or application.",
    ),
    700007: Aadsts(error="invalid_grant", text="The authorization code is malformed or invalid."),
    70003: Aadsts(
        error="unsupported_grant_type", text="The app returned an unsupported grant type."
    ),
    70005: Aadsts(
        error="unsupported_response_type",
        text="The app returned an unsupported response type.",
    ),
    900144: Aadsts(
        error="invalid_request", text="The request must contain the following parameter: {detail}."
    ),
    90024: Aadsts(error="temporarily_unavailable", text="RequestBudgetExceededError.", status=503),
    90033: Aadsts(
        error="temporarily_unavailable",
        text="A transient error has occurred. Please try again.",
        status=503,
    ),
    90006: Aadsts(error="server_error", text="The service failed.", status=500),
    90094: Aadsts(
        error="access_denied", text="Admin consent is required for the requested permissions."
    ),
}


class EntraRefusal(Exception):
    """A refusal of the token endpoint; at authorise it goes back to the client by redirect."""

    def __init__(self, code: int, detail: str = "") -> None:
        super().__init__(f"AADSTS{code}")
        self.code = code
        self.known = CODES[code]
        self.detail = detail

    def description(self, now: datetime) -> str:
        """Return what ``error_description`` says."""
        text = self.known.text.format(detail=self.detail)
        ids = f"Trace ID: {request_guid()} Correlation ID: {request_guid()}"
        return f"AADSTS{self.code}: {text} {ids} Timestamp: {now:%Y-%m-%d %H:%M:%SZ}"

    def body(self, now: datetime) -> dict[str, Any]:
        """Return the JSON of the token endpoint."""
        described = self.description(now)
        trace, correlation = described.split("Trace ID: ")[1].split(" Correlation ID: ")
        found = {
            "error": self.known.error,
            "error_description": described,
            "error_codes": [self.code],
            "timestamp": f"{now:%Y-%m-%d %H:%M:%SZ}",
            "trace_id": trace,
            "correlation_id": correlation.split(" ")[0],
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        extras = {"suberror": self.known.suberror, "claims": self.known.claims}
        return found | {name: value for name, value in extras.items() if value}
