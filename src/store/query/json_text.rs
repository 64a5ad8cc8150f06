//! Columns that hold JSON as text.

use diesel::{backend::Backend, deserialize::FromSql, deserialize::FromSqlRow, expression::AsExpression, sql_types::Text};
use serde::Serialize;
use serde_json::Value;

/// A stored JSON document. Invalid JSON, which the gateway never writes, is shown as a string.
#[derive(Clone, Debug, Default, PartialEq, Serialize, AsExpression, FromSqlRow, utoipa::ToSchema)]
#[diesel(sql_type = Text)]
#[serde(transparent)]
#[schema(value_type = Value)]
pub struct JsonText(pub Value);

impl<DB> FromSql<Text, DB> for JsonText
where
    DB: Backend,
    String: FromSql<Text, DB>,
{
    fn from_sql(bytes: DB::RawValue<'_>) -> diesel::deserialize::Result<Self> {
        let text = String::from_sql(bytes)?;
        Ok(Self(serde_json::from_str(&text).unwrap_or(Value::String(text))))
    }
}
