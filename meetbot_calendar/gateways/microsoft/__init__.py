"""Microsoft Graph and the Microsoft identity platform."""
