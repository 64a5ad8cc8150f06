//! Common parts of the list routes: query parameters, filter and response body.

/// Defines the query parameters of a list: its own, and those of every list.
macro_rules! list_query {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $Value:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, serde::Deserialize, utoipa::IntoParams)]
        #[serde(deny_unknown_fields)]
        #[into_params(parameter_in = Query)]
        pub(in crate::http) struct $name {
            $(
                $(#[$field_doc])*
                #[serde(default, deserialize_with = "super::parameters::parse_optional")]
                #[param(inline)]
                $field: Option<$Value>,
            )*
            /// Only this provider.
            #[serde(default, deserialize_with = "super::parameters::parse_optional")]
            #[param(inline)]
            service_type: Option<super::parameters::ServiceType>,
            /// Only this account, as in its URL.
            #[serde(default, deserialize_with = "super::parameters::parse_optional")]
            #[param(inline)]
            account: Option<super::parameters::Text>,
            /// Only from this time on.
            #[serde(default, deserialize_with = "super::parameters::parse_optional")]
            #[param(inline)]
            since: Option<crate::time::Timestamp>,
            /// Only before this time.
            #[serde(default, deserialize_with = "super::parameters::parse_optional")]
            #[param(inline)]
            until: Option<crate::time::Timestamp>,
            /// `next_cursor` of the previous page.
            #[serde(default, deserialize_with = "super::parameters::parse_optional")]
            #[param(value_type = Option<String>)]
            cursor: Option<crate::store::Cursor>,
            /// Maximum number of rows.
            #[serde(default, deserialize_with = "super::parameters::parse_optional")]
            #[param(inline)]
            limit: Option<super::parameters::Limit>,
        }
    };
}
pub(super) use list_query;

/// Converts query parameters to a filter of the store: its own fields, and those of every list.
macro_rules! list_filter {
    ($parameters:ident, $Filter:ident { $($field:ident: $value:expr),* }) => {
        $Filter {
            $($field: $value,)*
            service_type: $parameters.service_type.map(|provider| provider.0),
            account: $parameters.account.map(|text| text.0),
            since: $parameters.since,
            until: $parameters.until,
            cursor: $parameters.cursor,
            limit: super::parameters::Limit::or_default($parameters.limit),
        }
    };
}
pub(super) use list_filter;

/// Defines the response body of a list.
macro_rules! list_body {
    ($Name:ident, $field:ident: $Row:ty) => {
        /// One page, newest first.
        #[derive(Debug, serde::Serialize, utoipa::ToSchema)]
        pub(in crate::http) struct $Name {
            /// The rows.
            $field: Vec<$Row>,
            /// The `cursor` of the next page; null on the last page. A page that matches few rows may be short or empty without being
            /// the last.
            #[schema(value_type = Option<String>)]
            next_cursor: Option<crate::store::Cursor>,
        }

        impl From<crate::store::Page<$Row>> for $Name {
            fn from(page: crate::store::Page<$Row>) -> Self {
                Self { $field: page.items, next_cursor: page.next_cursor }
            }
        }
    };
}
pub(super) use list_body;
