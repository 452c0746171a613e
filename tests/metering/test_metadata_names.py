"""What a name tells of its value: a secret, a prompt or an answer, or neither."""

from __future__ import annotations

import pytest

from costtrack.metering.metadata_names import Told, told_by


@pytest.mark.parametrize(
    "name",
    """
    password passwd PASSWORD user.password db-password dbpassword passwordConfirm password2 password_plain old_password
    pwd passphrase secret client_secret clientSecret clientsecret secrets SECRET_VALUE credentials aws_credentials
    authorization
    Proxy-Authorization auth cookie Set-Cookie session sessionid PHPSESSID csrftoken csrfmiddlewaretoken jwt cvv cvc
    api_key apiKey APIKey api-key X-Api-Key xapikey OPENAI_API_KEY openai_key api_keys private_key access_key
    secret_key encryption_key ssh_key Ocp-Apim-Subscription-Key AccountKey accessKeyId api_key_value api_key_base64
    token access_token accessToken refresh_token id_token hf_token X-Amz-Security-Token bot_token auth_tokens
    password_hash bearer
    """.split(),
)
def test_secrets(name: str) -> None:
    assert told_by(name) is Told.SECRET


@pytest.mark.parametrize(
    "name",
    """
    prompt Prompt prompts system_prompt systemPrompt user_prompt negative_prompt messages message user_message
    completion completions content contents transcript instructions choices question answer arguments input_text
    raw_response final_output model_output chat_history llm.prompts gen_ai.prompt.0.content gen_ai.input.messages
    gen_ai.tool.call.arguments input.value output.value few_shot_examples_text rewritten_query
    """.split(),
)
def test_content(name: str) -> None:
    assert told_by(name) is Told.CONTENT


@pytest.mark.parametrize(
    "name",
    """
    system gen_ai.system text input inputs output response request query reply thinking reasoning template
    prompt_template history conversation documents chunks body
    """.split(),
)
def test_names_of_prompts_and_of_single_words(name: str) -> None:
    assert told_by(name) is Told.PERHAPS_CONTENT


@pytest.mark.parametrize(
    "name",
    [
        *"""
        max_tokens maxTokens total_tokens prompt_tokens completion_tokens prompt_tokens_details tokens max_token
        next_token page_token eos_token time_to_first_token cost_per_token num_token token_type token_count
        cache_key public_key primary_key sort_key key keys idempotency_key keyboard author authors session_id
        sessions passed compass secretary api_key_hash user_api_key_hash api_key_id key_id
        prompt_version prompt_id prompt_name message_count message_id error_message status_message commit_message
        help_text response_format response_id finish_reason system_fingerprint request_id query_count input_cost
        contentType content_length text_length conversation_id original_value model temperature top_p version
        git_branch estimated stream _problems _dropped _project_over_cap
        """.split(),
        "",
        "值",
        "123",
        "_",
    ],
)
def test_all_else(name: str) -> None:
    assert told_by(name) is Told.NOTHING


def test_a_name_of_any_length_is_told_at_once() -> None:
    assert told_by("value_" * 100_000) is Told.NOTHING
    assert told_by("A" * 1_000_000) is Told.NOTHING
    assert told_by("password_" + "1_" * 100_000) is Told.SECRET
