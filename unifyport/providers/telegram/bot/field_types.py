"""The JSON types of the fields that a content of `provider_data` may hold, so that `true` is no number.

Fields that are not here (objects, texts with a check of their own) are checked where they are rendered,
or by Telegram.
"""

from collections.abc import Mapping
from typing import Any

from unifyport.providers.contract.fields import ProviderField, invalid

_NAMES = {
    "integer": "live_period heading proximity_alert_radius open_period close_date width height duration"
    " start_timestamp max_tip_amount photo_size photo_width photo_height",
    "number": "latitude longitude horizontal_accuracy",
    "string": "title address foursquare_id foursquare_type google_place_id google_place_type explanation"
    " description performer emoji payload currency provider_token start_parameter photo_url cover html"
    " markdown parse_mode question_parse_mode explanation_parse_mode description_parse_mode",
    "boolean": "is_anonymous allows_multiple_answers allows_revoting shuffle_options allow_adding_options"
    " hide_results_until_closes members_only is_closed show_caption_above_media has_spoiler"
    " supports_streaming disable_content_type_detection others_can_add_tasks"
    " others_can_mark_tasks_as_done is_rtl skip_entity_detection need_name need_phone_number need_email"
    " need_shipping_address send_phone_number_to_provider send_email_to_provider is_flexible",
    "array": "question_entities explanation_entities description_entities correct_option_ids country_codes"
    " title_entities blocks prices suggested_tip_amounts caption_entities",
}
_FIELDS = {name: ProviderField(name, kind, "") for kind, names in _NAMES.items() for name in names.split()}


def check_kinds(where: str, value: Mapping[str, Any]) -> None:
    """Raises `Rejected` for the first field of a wrong type. `where`: the path of the object."""
    for name, given in value.items():
        field = _FIELDS.get(name)
        if field is not None and given is not None and not field.accepts(given):
            raise invalid(f"{where}.{name}", f"must be: {field.kind}")
