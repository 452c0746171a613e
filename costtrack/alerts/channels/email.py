"""E-mail, by whatever backend the site has set."""

from __future__ import annotations

import smtplib

from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives, get_connection
from django.core.mail.backends.smtp import EmailBackend as SMTPBackend
from django.core.validators import validate_email

from costtrack.alerts.channels.outgoing import DeliveryFailed, Outgoing

MOST_ADDRESSES = 20
SMTP_SECONDS = 30
"""Of each step, unless EMAIL_TIMEOUT says otherwise: without one a mail server that hangs would hang the sender."""


def addresses_in(target: str) -> list[str]:
    """The addresses of a channel. Raises DeliveryFailed, naming the first bad one."""
    addresses = [address.strip() for address in target.split(",")]
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            raise DeliveryFailed(f"{address[:100]!r} is no e-mail address.", is_permanent=True) from None
    if len(addresses) > MOST_ADDRESSES:
        raise DeliveryFailed(f"Got {len(addresses)} addresses, expected at most {MOST_ADDRESSES}.", is_permanent=True)
    return addresses


def send_email(target: str, message: Outgoing) -> None:
    """From DEFAULT_FROM_EMAIL. Its Message-ID is the message's own, so that a second one is known as such."""
    connection = get_connection()
    if isinstance(connection, SMTPBackend) and connection.timeout is None:
        connection.timeout = SMTP_SECONDS
    mail = EmailMultiAlternatives(
        subject=" ".join(message.subject.split()),
        body=message.text,
        to=addresses_in(target),
        connection=connection,
        headers={"Message-ID": f"<{message.id}@costtrack>", "Auto-Submitted": "auto-generated"},
    )
    if message.html:
        mail.attach_alternative(message.html, "text/html")
    try:
        mail.send()
    except (OSError, smtplib.SMTPException) as error:
        raise DeliveryFailed(f"The mail is not taken: {type(error).__name__}: {str(error)[:200]}") from error
