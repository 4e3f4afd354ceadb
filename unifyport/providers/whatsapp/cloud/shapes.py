"""The shapes of webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks.

Only fields that a parser reads are here, and only those are required that it cannot do without. Shapes that
are written into events (`location`, `order`) leave out what has its default. Nulls are taken out before.
"""

from typing import Any

from msgspec import Raw, Struct

NULL = Raw(b"null")


class Webhook(Struct):
    entry: list[Raw]


class Entry(Struct):
    """`id`: of the business account. `time`: when the webhook was made, as seconds or milliseconds."""

    id: str = ""
    time: Any = None
    changes: list[Raw] | None = None


class Change(Struct):
    field: str
    value: Raw = Raw(b"{}")


class Metadata(Struct):
    phone_number_id: str
    display_phone_number: str = ""


class Profile(Struct, frozen=True):
    name: str = ""
    username: str = ""


class Customer(Struct):
    """`wa_id`: the phone number without `+`, empty if it is hidden. `user_id`: the business-scoped id."""

    wa_id: str = ""
    user_id: str = ""
    parent_user_id: str = ""
    profile: Profile = Profile()


class Text(Struct):
    body: str


class File(Struct):
    id: str = ""
    mime_type: str = ""
    sha256: str = ""
    caption: str = ""
    filename: str = ""
    animated: bool = False
    voice: bool = False


class Location(Struct, omit_defaults=True):
    latitude: float
    longitude: float
    name: str = ""
    address: str = ""
    url: str = ""


class Choice(Struct):
    id: str
    title: str = ""
    description: str = ""


class Form(Struct):
    response_json: str = ""
    name: str = ""
    body: str = ""


class CallPermission(Struct, omit_defaults=True):
    response: str
    response_source: str = ""
    expiration_timestamp: int | str = ""
    is_permanent: bool = False


class Product(Struct, omit_defaults=True):
    product_retailer_id: str = ""
    catalog_id: str = ""


class Interactive(Struct):
    type: str = ""
    button_reply: Choice | None = None
    list_reply: Choice | None = None
    nfm_reply: Form | None = None
    call_permission_reply: CallPermission | None = None
    product: Product | None = None


class TemplateButton(Struct):
    text: str = ""
    payload: str = ""


class Item(Struct, omit_defaults=True):
    product_retailer_id: str = ""
    quantity: int | float | str = 1
    item_price: int | float | str = ""
    currency: str = ""


class Order(Struct, omit_defaults=True):
    catalog_id: str = ""
    text: str = ""
    product_items: list[Item] = []


class Name(Struct, frozen=True, omit_defaults=True):
    formatted_name: str = ""
    first_name: str = ""
    middle_name: str = ""
    last_name: str = ""
    prefix: str = ""
    suffix: str = ""


class Phone(Struct, omit_defaults=True):
    phone: str = ""
    wa_id: str = ""
    type: str = ""


class Email(Struct, omit_defaults=True):
    email: str = ""
    type: str = ""


class Url(Struct, omit_defaults=True):
    url: str = ""
    type: str = ""


class Address(Struct, omit_defaults=True):
    street: str = ""
    city: str = ""
    state: str = ""
    zip: str = ""
    country: str = ""
    country_code: str = ""
    type: str = ""


class Org(Struct, frozen=True, omit_defaults=True):
    company: str = ""
    department: str = ""
    title: str = ""


class Card(Struct, omit_defaults=True):
    name: Name = Name()
    phones: list[Phone] = []
    emails: list[Email] = []
    urls: list[Url] = []
    addresses: list[Address] = []
    org: Org = Org()
    birthday: str = ""


class ErrorData(Struct, frozen=True):
    details: str = ""


class Error(Struct):
    code: int
    title: str = ""
    message: str = ""
    error_data: ErrorData = ErrorData()


class Unsupported(Struct):
    type: str = ""


class Reaction(Struct):
    message_id: str
    emoji: str = ""


class Revoke(Struct):
    original_message_id: str


class Edit(Struct):
    original_message_id: str
    message: dict[str, Any]


class System(Struct):
    """A change of an id. `wa_id`, `user_id`: the new ones; `new_wa_id` and `customer` until v11."""

    type: str = ""
    body: str = ""
    wa_id: str = ""
    new_wa_id: str = ""
    customer: str = ""
    user_id: str = ""
    previous_user_id: str = ""


class Context(Struct):
    id: str = ""
    forwarded: bool = False
    frequently_forwarded: bool = False
    referred_product: Product | None = None


class Referral(Struct, omit_defaults=True):
    """The ad or post that brought the customer, without the URLs of its pictures."""

    source_url: str = ""
    source_type: str = ""
    source_id: str = ""
    headline: str = ""
    body: str = ""
    media_type: str = ""
    ctwa_clid: str = ""


class Head(Struct, rename={"from_": "from"}):
    """What every message has beside its content. `to`: of an echo."""

    id: str
    timestamp: str | int
    from_: str = ""
    from_user_id: str = ""
    to: str = ""
    to_user_id: str = ""
    group_id: str = ""


class StatusItem(Struct):
    id: str
    status: str
    timestamp: str | int
    type: str = ""
    recipient_id: str = ""
    recipient_user_id: str = ""
    recipient_type: str = ""
    recipient_participant_id: str = ""
    recipient_participant_user_id: str = ""
    biz_opaque_callback_data: str = ""
    errors: list[Error] = []


class About(Struct, rename={"from_": "from"}):
    """Whom some other report is about, as far as it says it."""

    wa_id: str = ""
    from_: str = ""
    user_id: str = ""
    from_user_id: str = ""
    timestamp: str | int = ""


class Participant(Struct):
    wa_id: str = ""
    user_id: str = ""
    input: str = ""


class Updated(Struct):
    text: str = ""
    update_successful: bool = False


class GroupItem(Struct):
    """One report about a group."""

    group_id: str
    type: str = ""
    timestamp: str | int = ""
    initiated_by: str = ""
    reason: str = ""
    wa_id: str = ""
    user_id: str = ""
    added_participants: list[Participant] = []
    removed_participants: list[Participant] = []
    group_subject: Updated | None = None
    group_description: Updated | None = None
    errors: list[Any] = []
