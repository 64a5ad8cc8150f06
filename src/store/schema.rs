// @generated automatically by Diesel CLI.

diesel::table! {
    calls (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        external_id -> Text,
        direction -> Nullable<Text>,
        sender -> Nullable<Text>,
        recipient -> Nullable<Text>,
        status -> Text,
        queued_at -> Nullable<Timestamp>,
        initiated_at -> Nullable<Timestamp>,
        ringing_at -> Nullable<Timestamp>,
        answered_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        end_reason -> Nullable<Text>,
        ended_by -> Nullable<Text>,
        answered_seconds -> Nullable<BigInt>,
        state_key -> Binary,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    communication_metrics (id) {
        id -> BigInt,
        reference -> Nullable<Text>,
        channel -> Nullable<Text>,
        service_type -> Nullable<Text>,
        recipient -> Nullable<Text>,
        sent_at -> Nullable<Timestamp>,
        created_at -> Timestamp,
    }
}

diesel::table! {
    inbound_messages (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        external_id -> Text,
        sender -> Nullable<Text>,
        recipient -> Nullable<Text>,
        channel -> Nullable<Text>,
        text -> Nullable<Text>,
        media -> Text,
        parts_total -> BigInt,
        parts_received -> BigInt,
        is_partial -> Bool,
        opt_out -> Nullable<Text>,
        provider_status -> Nullable<Text>,
        occurred_at -> Nullable<Timestamp>,
        received_at -> Timestamp,
    }
}

diesel::table! {
    inbound_parts (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        external_id -> Text,
        sender -> Text,
        recipient -> Text,
        reference -> Text,
        parts_total -> BigInt,
        part -> BigInt,
        text -> Nullable<Text>,
        inbound_message_id -> Nullable<BigInt>,
        received_at -> Timestamp,
        inbound_set_id -> Nullable<BigInt>,
        occurred_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    inbound_sets (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        sender -> Text,
        recipient -> Text,
        reference -> Text,
        parts_total -> BigInt,
        opened_at -> Timestamp,
        released_at -> Nullable<Timestamp>,
    }
}

diesel::table! {
    message_external_ids (id) {
        id -> BigInt,
        message_id -> Nullable<BigInt>,
        external_id -> Text,
        service_type -> Text,
        account -> Text,
        recipient_key -> Text,
        recipient -> Nullable<Text>,
        sender -> Nullable<Text>,
        channel -> Nullable<Text>,
        direction -> Nullable<Text>,
        status -> Text,
        provider_status -> Nullable<Text>,
        is_final -> Bool,
        evidence -> Nullable<Text>,
        error_code -> Nullable<Text>,
        error_message -> Nullable<Text>,
        error_category -> Nullable<Text>,
        error_permanence -> Nullable<Text>,
        status_at -> Nullable<Timestamp>,
        delivered_at -> Nullable<Timestamp>,
        failed_at -> Nullable<Timestamp>,
        read_at -> Nullable<Timestamp>,
        opened_at -> Nullable<Timestamp>,
        open_count -> BigInt,
        clicked_at -> Nullable<Timestamp>,
        click_count -> BigInt,
        complained_at -> Nullable<Timestamp>,
        unsubscribed_at -> Nullable<Timestamp>,
        has_conflict -> Bool,
        revision -> BigInt,
        matched_by -> Nullable<Text>,
        embedded_id -> Nullable<Text>,
        price -> Nullable<Text>,
        price_currency -> Nullable<Text>,
        parts_total -> Nullable<BigInt>,
        verified_by -> Nullable<Text>,
        state_key -> Binary,
        created_at -> Timestamp,
        updated_at -> Timestamp,
        matched_id -> Nullable<BigInt>,
    }
}

diesel::table! {
    rejected_requests (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        cause -> Text,
        finding -> Nullable<Text>,
        method -> Text,
        url -> Text,
        headers -> Text,
        body -> Binary,
        received_at -> Timestamp,
    }
}

diesel::table! {
    rooms (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        external_id -> Text,
        name -> Nullable<Text>,
        status -> Text,
        started_at -> Nullable<Timestamp>,
        ended_at -> Nullable<Timestamp>,
        members -> Text,
        recordings -> Text,
        state_key -> Binary,
        created_at -> Timestamp,
        updated_at -> Timestamp,
    }
}

diesel::table! {
    webhook_bodies (request_id) {
        request_id -> BigInt,
        body -> Binary,
        received_at -> Timestamp,
    }
}

diesel::table! {
    webhook_events (id) {
        id -> BigInt,
        event_key -> Binary,
        txid -> BigInt,
        request_id -> Nullable<BigInt>,
        service_type -> Text,
        account -> Text,
        external_id -> Nullable<Text>,
        recipient_key -> Text,
        event_type -> Text,
        provider_type -> Nullable<Text>,
        status -> Nullable<Text>,
        provider_status -> Nullable<Text>,
        evidence -> Nullable<Text>,
        error_code -> Nullable<Text>,
        state_key -> Binary,
        occurred_at -> Nullable<Timestamp>,
        received_at -> Timestamp,
        detail -> Text,
        applied_rule -> Nullable<Text>,
        duplicate_count -> BigInt,
    }
}

diesel::table! {
    webhook_requests (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        dedupe_key -> Binary,
        state -> Text,
        reason -> Nullable<Text>,
        answer -> BigInt,
        verified_by -> Text,
        method -> Text,
        url -> Text,
        headers -> Text,
        received_at -> Timestamp,
        duplicate_count -> BigInt,
        last_duplicate_at -> Nullable<Timestamp>,
    }
}

diesel::joinable!(inbound_parts -> inbound_messages (inbound_message_id));
diesel::joinable!(inbound_parts -> inbound_sets (inbound_set_id));
diesel::joinable!(message_external_ids -> communication_metrics (message_id));
diesel::joinable!(webhook_bodies -> webhook_requests (request_id));
diesel::joinable!(webhook_events -> webhook_requests (request_id));

diesel::allow_tables_to_appear_in_same_query!(
    calls,
    communication_metrics,
    inbound_messages,
    inbound_parts,
    inbound_sets,
    message_external_ids,
    rejected_requests,
    rooms,
    webhook_bodies,
    webhook_events,
    webhook_requests,
);
