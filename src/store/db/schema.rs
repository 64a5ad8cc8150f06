//! The tables, as Diesel CLI prints them but for the widest, which `wide` explains.

diesel::table! {
    audit_log (id) {
        id -> BigInt,
        recorded_at -> Timestamp,
        actor -> Text,
        action -> Text,
        target -> Nullable<Text>,
        items -> BigInt,
    }
}

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
        account -> Text,
    }
}

diesel::table! {
    endpoint_activity (service_type, account) {
        service_type -> Text,
        account -> Text,
        last_received_at -> Timestamp,
        sample -> BigInt,
        longest_gap -> BigInt,
    }
}

diesel::table! {
    expired_keys (stored_key) {
        stored_key -> Binary,
        day -> BigInt,
    }
}

diesel::table! {
    id_ranges (table_name, first_id) {
        table_name -> Text,
        first_id -> BigInt,
        earliest -> Timestamp,
        latest -> Timestamp,
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
        subject -> Nullable<Text>,
        internet_message_id -> Nullable<Text>,
        cc -> Nullable<Text>,
        bcc -> Nullable<Text>,
        received_for -> Nullable<Text>,
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
    message_addresses (address, owner, role, owner_id) {
        address -> Text,
        owner -> Text,
        role -> Text,
        owner_id -> BigInt,
    }
}

pub(crate) mod message_external_ids {
    pub(crate) use super::columns::message_external_ids::*;
    pub(crate) use super::further::*;
}

mod columns {
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
            error_code -> Nullable<Text>,
            error_message -> Nullable<Text>,
            status_at -> Nullable<Timestamp>,
            delivered_at -> Nullable<Timestamp>,
            failed_at -> Nullable<Timestamp>,
            opened_at -> Nullable<Timestamp>,
            open_count -> BigInt,
            clicked_at -> Nullable<Timestamp>,
            click_count -> BigInt,
            has_conflict -> Bool,
            revision -> BigInt,
            matched_by -> Nullable<Text>,
            embedded_id -> Nullable<Text>,
            verified_by -> Nullable<Text>,
            state_key -> Binary,
            created_at -> Timestamp,
            updated_at -> Timestamp,
            matched_id -> Nullable<BigInt>,
        }
    }
}

#[expect(non_camel_case_types, reason = "as Diesel names columns")]
mod further {
    use diesel::sql_types::{BigInt, Nullable, Text, Timestamp};

    crate::store::db::wide::further_columns! {
        message_external_ids (id) {
            evidence -> Nullable<Text>,
            error_category -> Nullable<Text>,
            error_permanence -> Nullable<Text>,
            read_at -> Nullable<Timestamp>,
            complained_at -> Nullable<Timestamp>,
            unsubscribed_at -> Nullable<Timestamp>,
            price -> Nullable<Text>,
            price_currency -> Nullable<Text>,
            parts_total -> Nullable<BigInt>,
        }
    }
}

diesel::table! {
    positions (name) {
        name -> Text,
        txid -> BigInt,
        id -> BigInt,
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
        network -> Text,
        is_near_miss -> Bool,
        body_bytes -> BigInt,
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
    suppressions (id) {
        id -> BigInt,
        service_type -> Text,
        account -> Text,
        channel -> Text,
        address -> Text,
        reason -> Text,
        sender -> Text,
        is_active -> Bool,
        active_since -> Nullable<Timestamp>,
        first_at -> Nullable<Timestamp>,
        last_at -> Nullable<Timestamp>,
        lifted_at -> Nullable<Timestamp>,
        evidence -> Text,
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
        event_key -> Nullable<Binary>,
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
        mapping_id -> Nullable<BigInt>,
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
        event_count -> BigInt,
        events_at -> Nullable<BigInt>,
    }
}

diesel::joinable!(inbound_parts -> inbound_messages (inbound_message_id));
diesel::joinable!(inbound_parts -> inbound_sets (inbound_set_id));
diesel::joinable!(message_external_ids -> communication_metrics (message_id));
diesel::joinable!(webhook_bodies -> webhook_requests (request_id));
diesel::joinable!(webhook_events -> webhook_requests (request_id));

diesel::allow_tables_to_appear_in_same_query!(
    audit_log,
    calls,
    communication_metrics,
    endpoint_activity,
    expired_keys,
    id_ranges,
    inbound_messages,
    inbound_parts,
    inbound_sets,
    message_addresses,
    message_external_ids,
    positions,
    rejected_requests,
    rooms,
    suppressions,
    webhook_bodies,
    webhook_events,
    webhook_requests,
);
