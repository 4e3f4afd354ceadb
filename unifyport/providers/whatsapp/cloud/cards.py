"""Contact cards of the Cloud API -> vCards."""

from unifyport.model.vcard import Card

from . import shapes


def vcard(card: shapes.Card) -> str:
    """All that the card says. Lines end with LF."""
    name, org = card.name, card.org
    whole = Card(
        name.formatted_name or f"{name.first_name} {name.last_name}".strip(),
        family=name.last_name,
        given=name.first_name,
        middle=name.middle_name,
        prefix=name.prefix,
        suffix=name.suffix,
        organization=(org.company, org.department) if org.department else (org.company,),
        title=org.title,
        phones=[(phone.phone or phone.wa_id, phone.type) for phone in card.phones],
        emails=[(email.email, email.type) for email in card.emails],
        urls=[(url.url, url.type) for url in card.urls],
        addresses=[
            ((a.street, a.city, a.state, a.zip, a.country or a.country_code), a.type) for a in card.addresses
        ],
        birthday=card.birthday,
    )
    return "\n".join(whole.lines())
